//! Web Push for the channels of a function.

use std::fmt;

use serde_json::json;
use tidewire_core::{
    Error, ErrorKind, Grant, LocalFuture, MAX_SUBSCRIPTION_BYTES, Push, PushAt, PushOperation,
    PushRow, Reply, Result, Revocation, json as reply,
};

use crate::deliver::deliver;
use crate::notice::Meaning;
use crate::services::PushServices;
use crate::subscriber::Subscriber;
use crate::vapid::{Vapid, VapidKey};

/// The decisions for a function's channels, which it gives to `Policy::with_push`:
///
/// ```
/// use tidewire_push::{Meaning, WebPush};
///
/// static PUSH: WebPush = WebPush::new(|event| match event {
///     _ => Meaning::Nothing,
/// });
/// ```
pub struct WebPush {
    read: fn(&[u8]) -> Meaning,
}

impl WebPush {
    /// With what an event of the function means. The meaning must depend on the event alone.
    #[must_use]
    pub const fn new(read: fn(&[u8]) -> Meaning) -> WebPush {
        WebPush { read }
    }

    async fn list(&self, at: PushAt<'_>) -> Result<Reply> {
        let (vapid, _) = settings(at)?;
        let key = vapid.first().ok().map(VapidKey::public);
        let rows = at.store.rows().await?;
        let mut shown: Vec<_> = rows.iter().filter_map(of).collect();
        shown.sort_by_key(|(_, subscriber)| subscriber.created_ms);
        let shown: Vec<_> = shown.iter().map(|(id, subscriber)| subscriber.shown(id)).collect();
        Ok(reply(json!({"key": key, "subscriptions": shown}).to_string()))
    }

    async fn subscribe(&self, body: &[u8], grant: &Grant, at: PushAt<'_>) -> Result<Reply> {
        if body.len() > MAX_SUBSCRIPTION_BYTES {
            return Err(Error::body_too_large(MAX_SUBSCRIPTION_BYTES as u64));
        }
        let (vapid, services) = settings(at)?;
        let key = vapid.first().map_err(|_| {
            let why = "Web Push is off: `VAPID_KEYS` is not set on the server";
            Error::new(ErrorKind::NotSupported, why)
        })?;
        let now_ms = at.store.now_ms();
        let (id, mut asked) = Subscriber::read(body, &services, grant, now_ms)?;
        asked.key = key.id().into();
        let rows = at.store.rows().await?;
        let known = rows.iter().find(|row| row.id == id);
        let mut row = PushRow {
            id: id.clone(),
            due_ms: None,
            until_ms: at.settings.life_ms.map(|life_ms| now_ms + life_ms),
            data: String::new(),
        };
        if let Some((known, before)) =
            known.and_then(|known| Subscriber::of(known).map(|before| (known, before)))
        {
            // The key stays, and so does what it was served.
            row.due_ms = known.due_ms;
            asked = Subscriber {
                endpoint: asked.endpoint,
                p256dh: asked.p256dh,
                auth: asked.auth,
                name: asked.name,
                page: asked.page,
                subject: asked.subject,
                ticket: asked.ticket,
                ..before
            };
        } else {
            if rows.len() as u64 >= at.settings.max_subscriptions {
                at.store.remove(failing(&rows, at)?).await?;
            }
            asked.pushed = at.store.events(u64::from(u32::MAX) << 20).await?.tail;
        }
        row.data = asked.data();
        at.store.put(row).await?;
        Ok(reply(json!({"id": id}).to_string()))
    }
}

impl Push for WebPush {
    fn is_owed(&self, event: &[u8]) -> bool {
        matches!((self.read)(event), Meaning::Notice(_))
    }

    fn answer<'a>(
        &'a self,
        asked: &'a PushOperation,
        body: &'a [u8],
        grant: &'a Grant,
        at: PushAt<'a>,
    ) -> LocalFuture<'a, Result<Reply>> {
        Box::pin(async move {
            match asked {
                PushOperation::List => self.list(at).await,
                PushOperation::Subscribe => self.subscribe(body, grant, at).await,
                PushOperation::Sweep => {
                    self.deliver(at).await?;
                    Ok(reply("{}"))
                }
                PushOperation::Remove { id } => {
                    at.store.remove(id.clone()).await?;
                    Ok(reply("{}"))
                }
            }
        })
    }

    fn deliver<'a>(&'a self, at: PushAt<'a>) -> LocalFuture<'a, Result<()>> {
        Box::pin(async move {
            let due = at.store.due().await?;
            if due.is_empty() {
                return Ok(());
            }
            let (vapid, services) = settings(at)?;
            deliver(due, self.read, &vapid, &services, at).await
        })
    }

    fn revoke<'a>(
        &'a self,
        revocation: &'a Revocation,
        at: PushAt<'a>,
    ) -> LocalFuture<'a, Result<()>> {
        Box::pin(async move {
            let now_ms = at.store.now_ms();
            for (id, subscriber) in at.store.rows().await?.iter().filter_map(of) {
                if subscriber.is_revoked(revocation, now_ms) {
                    at.store.remove(id.into()).await?;
                }
            }
            Ok(())
        })
    }
}

impl fmt::Debug for WebPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebPush")
    }
}

fn of(row: &PushRow) -> Option<(&str, Subscriber)> {
    Some((&row.id, Subscriber::of(row)?))
}

/// The subscription that has failed longest, for a new one to take its place.
fn failing(rows: &[PushRow], at: PushAt<'_>) -> Result<String> {
    let failing = rows.iter().filter_map(of);
    let failing = failing.filter_map(|(id, subscriber)| Some((subscriber.fails_since_ms()?, id)));
    failing.min().map(|(_, id)| id.into()).ok_or_else(|| {
        let why = format!(
            "the channel has {} subscriptions, the most that it allows: remove one",
            at.settings.max_subscriptions
        );
        Error::new(ErrorKind::SubscriptionsFull, why)
    })
}

/// The keys and the services.
fn settings(at: PushAt<'_>) -> Result<(Vapid, PushServices)> {
    let vapid = Vapid::parse(at.settings.vapid_keys.expose(), &at.settings.vapid_subject);
    let services = PushServices::parse(&at.settings.services);
    Ok((vapid.map_err(|error| error.fault())?, services.map_err(|error| error.fault())?))
}
