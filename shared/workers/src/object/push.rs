//! Web Push: the object's alarm sends what the channel's subscriptions are owed.

use tidewire_core::{
    ChannelName, Commit, Error, ErrorKind, Grant, LocalFuture, PUSH_ANSWER_BYTES,
    PUSH_RANDOM_BYTES, PUSH_TIMEOUT_MS, PushAnswer, PushAt, PushOperation, PushPage, PushPost,
    PushRow, PushStore, Pushing, Reply, Revocation, fault, hash, json,
};
use worker::Result;

use super::{Answer, Inner};
use crate::clock::now_ms;
use crate::post::{post, random};
use crate::respond::internal;

/// How long deliveries pause after one that failed, in milliseconds: a setting that is wrong must
/// not keep the object awake.
const PAUSE_MS: u64 = 60_000;

type AnswerPush =
    for<'a> fn(&'a Inner, &'a PushOperation, &'a [u8], &'a Grant) -> LocalFuture<'a, Answer<Reply>>;
type Deliver = for<'a> fn(&'a Inner) -> LocalFuture<'a, Answer<()>>;
type Revoke = for<'a> fn(&'a Inner, &'a Revocation) -> LocalFuture<'a, Answer<()>>;

/// The code of Web Push: a Worker has it only if one of its functions says so.
#[derive(Clone, Copy)]
pub(super) struct Pusher {
    /// Answers a request at the subscriptions.
    pub(super) answer: AnswerPush,
    /// Sends what is due.
    pub(super) deliver: Deliver,
    /// Removes the subscriptions of a reader whose access is revoked.
    pub(super) revoke: Revoke,
}

impl Pusher {
    pub(super) const NEW: Pusher = Pusher {
        answer: |inner, asked, body, grant| Box::pin(inner.push(asked, body, grant)),
        deliver: |inner| Box::pin(inner.deliver()),
        revoke: |inner, revocation| Box::pin(inner.revoke_push(revocation)),
    };
}

/// The function has no Web Push.
pub(super) fn absent() -> Error {
    Error::new(ErrorKind::RouteNotFound, "channels of this function have no Web Push")
}

impl Inner {
    async fn push(&self, asked: &PushOperation, body: &[u8], grant: &Grant) -> Answer<Reply> {
        let push = self.policy.push.as_ref().ok_or_else(absent)?;
        // Only the alarm sends, one delivery at a time.
        if *asked == PushOperation::Sweep {
            return self.set_alarm().await.map(|()| json("{}"));
        }
        let (channel, hash) = self.push_names();
        let reply =
            push.service.answer(asked, body, grant, self.push_at(push, channel, &hash)).await?;
        if *asked == PushOperation::Subscribe {
            self.set_alarm().await?;
        }
        Ok(reply)
    }

    /// A failure is logged and delays the next delivery: the alarm must not fail, or the platform
    /// would repeat all of it.
    async fn deliver(&self) -> Answer<()> {
        let has_channel = self.channel()?.is_some();
        stored(self.store.prune_push(now_ms()))?;
        let push = self.policy.push.as_ref().filter(|_| has_channel && self.store.has_push());
        let Some(push) = push else { return Ok(()) };
        let (channel, hash) = self.push_names();
        if let Err(error) = push.service.deliver(self.push_at(push, channel, &hash)).await {
            worker::console_error!("{}", fault(Some(&hash), &error));
            self.push_after_ms.set(now_ms() + PAUSE_MS);
        }
        Ok(())
    }

    async fn revoke_push(&self, revocation: &Revocation) -> Answer<()> {
        let Some(push) = self.policy.push.as_ref().filter(|_| self.store.has_push()) else {
            return Ok(());
        };
        let (channel, hash) = self.push_names();
        push.service.revoke(revocation, self.push_at(push, channel, &hash)).await
    }

    /// Whether subscriptions are due because of a commit.
    pub(super) fn owes_push(&self, commit: &Commit) -> bool {
        commit.push_due_ms.is_some() && self.store.has_push()
    }

    /// When the alarm is needed for a subscription.
    pub(super) fn next_push_ms(&self) -> Option<u64> {
        // The next delivery reports an unreadable store.
        let next_ms = self.store.next_push_ms().ok().flatten()?;
        Some(next_ms.max(self.push_after_ms.get()))
    }

    fn push_names(&self) -> (&str, String) {
        let channel = self.name.as_ref().map_or("", ChannelName::as_str);
        (channel, hash(self.function, channel))
    }

    fn push_at<'a>(&'a self, push: &'a Pushing, channel: &'a str, hash: &'a str) -> PushAt<'a> {
        PushAt { channel, hash, settings: &push.settings, store: self }
    }

    fn push_page(&self, after: u64) -> Answer<PushPage> {
        let Some(channel) = self.channel()? else { return Ok(PushPage::default()) };
        let page = self.store.push_page(channel.epoch, channel.tail, after);
        page.map_err(|cause| internal(&cause))
    }

    fn settle_push(&self, row: PushRow, pushed: u64) -> Answer<()> {
        let tail = self.channel()?.map_or(0, |channel| channel.tail);
        let due_ms = row.due_ms.or((pushed < tail).then(now_ms));
        stored(self.store.save_push(PushRow { due_ms, ..row }))
    }

    fn due_push(&self) -> Answer<Vec<PushRow>> {
        let now_ms = now_ms();
        stored(self.store.prune_push(now_ms))?;
        let mut rows = stored(self.store.push_rows())?;
        rows.retain(|row| row.due_ms.is_some_and(|due_ms| due_ms <= now_ms));
        Ok(rows)
    }
}

fn stored<T>(done: Result<T>) -> Answer<T> {
    done.map_err(|cause| internal(&cause))
}

/// The store is synchronous: each of these is done when it returns.
fn ready<'a, T: 'a>(value: T) -> LocalFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl PushStore for Inner {
    fn rows(&self) -> LocalFuture<'_, Answer<Vec<PushRow>>> {
        ready(stored(self.store.push_rows()))
    }

    fn due(&self) -> LocalFuture<'_, Answer<Vec<PushRow>>> {
        ready(self.due_push())
    }

    fn put(&self, row: PushRow) -> LocalFuture<'_, Answer<()>> {
        ready(stored(self.store.put_push(row)))
    }

    fn save(&self, row: PushRow) -> LocalFuture<'_, Answer<()>> {
        ready(stored(self.store.save_push(row)))
    }

    fn settle(&self, row: PushRow, pushed: u64) -> LocalFuture<'_, Answer<()>> {
        ready(self.settle_push(row, pushed))
    }

    fn remove(&self, id: String) -> LocalFuture<'_, Answer<()>> {
        ready(stored(self.store.remove_push(id)))
    }

    fn events(&self, after: u64) -> LocalFuture<'_, Answer<PushPage>> {
        ready(self.push_page(after))
    }

    fn post(&self, request: PushPost) -> LocalFuture<'_, Option<PushAnswer>> {
        Box::pin(post(request, PUSH_TIMEOUT_MS, PUSH_ANSWER_BYTES))
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn random(&self) -> [u8; PUSH_RANDOM_BYTES] {
        random()
    }

    fn log(&self, line: String) {
        worker::console_log!("{line}");
    }

    fn count(&self, result: &'static str) {
        *self.activity.borrow_mut().pushes.entry(result).or_default() += 1;
    }
}
