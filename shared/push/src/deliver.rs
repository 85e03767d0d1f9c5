//! The delivery of what is due to the subscriptions of one channel: in order for each device, side
//! by side for push services, so that a slow service delays no other service.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde_json::json;
use tidewire_core::{Offset, PushAt, PushPost, PushRow, Result};

use crate::error::Error;
use crate::limits::RANDOM_BYTES;
use crate::message::Message;
use crate::notice::Meaning;
use crate::outcome::Outcome;
use crate::payload::text;
use crate::plan::{Next, Plan};
use crate::services::PushServices;
use crate::step::{Attempt, MAX_AGE_MS, Reason, Step};
use crate::subscriber::Subscriber;
use crate::subscription::Subscription;
use crate::token::Tokens;
use crate::topic::Topic;
use crate::vapid::{Vapid, VapidKey};

/// After a service did not answer, how long its other subscriptions wait, in milliseconds.
const SILENT_MS: u64 = 30_000;

thread_local! {
    static TOKENS: RefCell<Tokens> = RefCell::default();
}

/// A subscription to which something may be owed.
struct Due<'a> {
    row: PushRow,
    subscriber: Subscriber,
    to: Subscription,
    key: &'a VapidKey,
}

/// The service wants no request until then, in milliseconds since 1970.
type Hold = Option<u64>;

/// Sends to all that are due.
pub(crate) async fn deliver(
    rows: Vec<PushRow>,
    read: fn(&[u8]) -> Meaning,
    vapid: &Vapid,
    services: &PushServices,
    at: PushAt<'_>,
) -> Result<()> {
    let mut origins: BTreeMap<String, Vec<Due<'_>>> = BTreeMap::new();
    for row in rows {
        // Nothing can ever be sent to it: the settings no longer have its key, or its service.
        let due = Subscriber::of(&row).and_then(|subscriber| {
            let (key, to) = (vapid.get(&subscriber.key)?, subscriber.to(services).ok()?);
            Some((subscriber, to, key))
        });
        let Some((subscriber, to, key)) = due else {
            log(at, &row.id, "removed", "unusable", "");
            at.store.count("removed-unusable");
            at.store.remove(row.id).await?;
            continue;
        };
        origins.entry(to.origin().into()).or_default().push(Due { row, subscriber, to, key });
    }
    let groups = origins.into_values().map(|due| async move {
        let mut hold = None;
        for mut due in due {
            match hold {
                None => hold = due.drain(read, at).await?,
                Some(at_ms) => due.settle(Some(at_ms), at).await?,
            }
        }
        Ok(())
    });
    try_join_all(groups).await.map(|_: Vec<()>| ())
}

impl Due<'_> {
    /// Sends what is owed to the subscription, one message after the other.
    async fn drain(&mut self, read: fn(&[u8]) -> Meaning, at: PushAt<'_>) -> Result<Hold> {
        loop {
            let page = at.store.events(self.subscriber.pushed).await?;
            let now_ms = at.store.now_ms();
            let next =
                match Plan::of(&page, self.subscriber.pushed, read, at.settings.delay_ms, now_ms) {
                    Plan::Look { served } => {
                        self.subscriber.pushed = served;
                        continue;
                    }
                    Plan::Wait { served, due_ms } => {
                        self.subscriber.pushed = served;
                        self.settle(due_ms, at).await?;
                        return Ok(None);
                    }
                    Plan::Send(next) => next,
                };
            if self.subscriber.trying != next.seq {
                (self.subscriber.trying, self.subscriber.attempts) = (next.seq, 0);
            }
            let (outcome, step) = self.send(&next, page.epoch, at).await?;
            let now_ms = at.store.now_ms();
            match step {
                Step::Done => {
                    self.subscriber.pushed = next.seq;
                    (self.subscriber.attempts, self.subscriber.refused) = (0, 0);
                    (self.subscriber.sent_ms, self.subscriber.failed_ms) = (Some(now_ms), None);
                    self.subscriber.failure = None;
                    at.store.count("sent");
                }
                Step::Retry { at_ms, whole_service, .. } => {
                    self.subscriber.attempts += 1;
                    self.failed("later", now_ms);
                    at.store.count("later");
                    self.settle(Some(at_ms), at).await?;
                    let is_silent = outcome == Outcome::unanswered();
                    let silent_ms = is_silent.then_some(now_ms + SILENT_MS);
                    return Ok(whole_service.then_some(at_ms).or(silent_ms));
                }
                Step::Drop { reason, refused } => {
                    self.subscriber.pushed = next.seq;
                    (self.subscriber.attempts, self.subscriber.refused) = (0, refused);
                    self.failed(reason.code(), now_ms);
                    at.store.count(dropped(reason));
                    log(at, &self.to.label(), "dropped", reason.code(), "");
                }
                Step::Remove(reason) => {
                    log(at, &self.to.label(), "removed", reason.code(), "");
                    at.store.count(removed(reason));
                    at.store.remove(self.row.id.clone()).await?;
                    return Ok(None);
                }
            }
            // Without this write, a crash would send the message again.
            if !next.is_last {
                self.row.data = self.subscriber.data();
                at.store.save(self.row.clone()).await?;
            }
        }
    }

    /// Sends one message, with a new token and with a shorter text where the service asks for it.
    async fn send(&mut self, next: &Next, epoch: u64, at: PushAt<'_>) -> Result<(Outcome, Step)> {
        let ends_ms = next.at_ms.saturating_add(MAX_AGE_MS);
        let (mut is_short, mut is_fresh) = (false, false);
        loop {
            let now_ms = at.store.now_ms();
            if now_ms >= ends_ms {
                let refused = self.subscriber.refused;
                let step = Step::Drop { reason: Reason::Expired, refused };
                return Ok((Outcome::Sent, step));
            }
            let offset = Offset { epoch, seq: next.seq }.to_string();
            let text = text(next, self.subscriber.page.as_deref(), &offset, is_short);
            let message = Message {
                text: &text,
                ttl_s: (ends_ms - now_ms) / 1_000,
                urgency: next.notice.urgency,
                topic: Some(Topic::of(at.channel, &next.notice.id)),
            };
            let outcome = self.post(&message, at).await?;
            if let Outcome::OurFault { fault, reason } = &outcome {
                log(at, &self.to.label(), "refused", fault.advice(), reason);
            }
            // A token is renewed once, with the first attempt.
            let before = self.subscriber.attempts.max(u32::from(is_fresh));
            let attempt = Attempt { before, refused: self.subscriber.refused, ends_ms };
            match outcome.step(attempt, at.store.now_ms(), entropy(&at.store.random())) {
                Step::Retry { fresh_token: true, .. } => {
                    let origin = self.to.origin();
                    TOKENS.with_borrow_mut(|tokens| tokens.forget(self.key, origin));
                    is_fresh = true;
                }
                Step::Drop { reason: Reason::TooLarge, .. } if !is_short => is_short = true,
                step => return Ok((outcome, step)),
            }
        }
    }

    async fn post(&self, message: &Message<'_>, at: PushAt<'_>) -> Result<Outcome> {
        let now_ms = at.store.now_ms();
        let token = TOKENS
            .with_borrow_mut(|tokens| tokens.get(self.key, self.to.origin(), now_ms))
            .map_err(|error| error.fault())?;
        let request = loop {
            let random: [u8; RANDOM_BYTES] = at.store.random();
            match message.request(&self.to, &token, &random) {
                Err(Error::DrawAgain) => {}
                made => break made.map_err(|error| error.fault())?,
            }
        };
        let post = PushPost { url: request.url, headers: request.headers, body: request.body };
        let Some(answer) = at.store.post(post).await else { return Ok(Outcome::unanswered()) };
        let header = |name: &str| {
            let mut found = answer.headers.iter().filter(|(known, _)| known == name);
            found.next().map(|(_, value)| value.clone())
        };
        Ok(Outcome::of(answer.status, header, &answer.body, at.store.now_ms()))
    }

    fn failed(&mut self, why: &str, now_ms: u64) {
        (self.subscriber.failed_ms, self.subscriber.failure) = (Some(now_ms), Some(why.into()));
    }

    async fn settle(&mut self, due_ms: Option<u64>, at: PushAt<'_>) -> Result<()> {
        self.row.due_ms = due_ms;
        self.row.data = self.subscriber.data();
        at.store.settle(self.row.clone(), self.subscriber.pushed).await
    }
}

/// The names of results in the figures.
fn dropped(reason: Reason) -> &'static str {
    match reason {
        Reason::Gone => "dropped-gone",
        Reason::Refused => "dropped-refused",
        Reason::TooLarge => "dropped-too-large",
        Reason::Attempts => "dropped-attempts",
        Reason::Expired => "dropped-expired",
    }
}

fn removed(reason: Reason) -> &'static str {
    match reason {
        Reason::Gone => "removed-gone",
        _ => "removed-refused",
    }
}

/// A number that spreads retries.
fn entropy(random: &[u8]) -> u32 {
    random.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn log(at: PushAt<'_>, to: &str, did: &str, why: &str, said: &str) {
    let line = json!({"event": "push", "channel": at.hash, "to": to, "did": did, "why": why, "said": said});
    at.store.log(line.to_string());
}
