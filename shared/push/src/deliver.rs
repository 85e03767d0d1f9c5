//! The delivery of what is due to the subscriptions of one channel: in order for each device, side
//! by side for push services, so that a slow service delays no other.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde_json::json;
use tidewire_core::{Offset, PushAt, PushPost, PushRow, Result};

use crate::channel::fault;
use crate::encrypt::RANDOM_BYTES;
use crate::error::Error;
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

/// How long other subscriptions at a service that does not answer wait, in milliseconds.
const SILENT_MS: u64 = 30_000;

thread_local! {
    static TOKENS: RefCell<Tokens> = RefCell::default();
}

/// A subscription to which something may be owed.
struct Due<'a> {
    row: PushRow,
    one: Subscriber,
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
        // Nothing can ever be sent to it: its key was taken from the settings, or its service.
        let due = Subscriber::of(&row).and_then(|one| {
            let (key, to) = (vapid.get(&one.key)?, one.to(services).ok()?);
            Some((one, to, key))
        });
        let Some((one, to, key)) = due else {
            log(at, &row.id, "removed", "unusable", "");
            at.store.count("removed-unusable");
            at.store.remove(row.id).await?;
            continue;
        };
        origins.entry(to.origin().into()).or_default().push(Due { row, one, to, key });
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
            let page = at.store.events(self.one.pushed).await?;
            let now_ms = at.store.now_ms();
            let next = match Plan::of(&page, self.one.pushed, read, at.settings.delay_ms, now_ms) {
                Plan::Look { served } => {
                    self.one.pushed = served;
                    continue;
                }
                Plan::Wait { served, due_ms } => {
                    self.one.pushed = served;
                    self.settle(due_ms, at).await?;
                    return Ok(None);
                }
                Plan::Send(next) => next,
            };
            if self.one.trying != next.seq {
                (self.one.trying, self.one.attempts) = (next.seq, 0);
            }
            let (outcome, step) = self.send(&next, page.epoch, at).await?;
            let now_ms = at.store.now_ms();
            match step {
                Step::Done => {
                    self.one.pushed = next.seq;
                    (self.one.attempts, self.one.refused) = (0, 0);
                    (self.one.sent_ms, self.one.failed_ms) = (Some(now_ms), None);
                    self.one.failure = None;
                    at.store.count("sent");
                }
                Step::Retry { at_ms, whole_service, .. } => {
                    self.one.attempts += 1;
                    self.failed("later", now_ms);
                    at.store.count("later");
                    self.settle(Some(at_ms), at).await?;
                    let is_silent = outcome == Outcome::unanswered();
                    let silent_ms = is_silent.then_some(now_ms + SILENT_MS);
                    return Ok(whole_service.then_some(at_ms).or(silent_ms));
                }
                Step::Drop { reason, refused } => {
                    self.one.pushed = next.seq;
                    (self.one.attempts, self.one.refused) = (0, refused);
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
            // Sending again after a crash costs more than a write.
            if !next.is_last {
                self.row.data = self.one.data();
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
                let refused = self.one.refused;
                let step = Step::Drop { reason: Reason::Expired, refused };
                return Ok((Outcome::Sent, step));
            }
            let offset = Offset { epoch, seq: next.seq }.to_string();
            let text = text(next, self.one.page.as_deref(), &offset, is_short);
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
            let before = self.one.attempts.max(u32::from(is_fresh));
            let attempt = Attempt { before, refused: self.one.refused, ends_ms };
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
            .map_err(|error| fault(&error))?;
        let request = loop {
            let random: [u8; RANDOM_BYTES] = at.store.random();
            match message.request(&self.to, &token, &random) {
                Err(Error::DrawAgain) => {}
                made => break made.map_err(|error| fault(&error))?,
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
        (self.one.failed_ms, self.one.failure) = (Some(now_ms), Some(why.into()));
    }

    async fn settle(&mut self, due_ms: Option<u64>, at: PushAt<'_>) -> Result<()> {
        self.row.due_ms = due_ms;
        self.row.data = self.one.data();
        at.store.settle(self.row.clone(), self.one.pushed).await
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
