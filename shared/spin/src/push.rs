//! Web Push: the request that publishes sends the messages after its answer. The sweep of a later
//! request sends the messages that a crash or a pause leaves over.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::time::Duration;

use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::random::random::get_random_bytes;
use spin_sdk::wasip3::spawn;
use tidewire_core::{
    Error, ErrorKind, Grant, LocalFuture, PUSH_ANSWER_BYTES, PUSH_RANDOM_BYTES, PUSH_TIMEOUT_MS,
    PushAnswer, PushAt, PushOperation, PushPage, PushPost, PushRow, PushStore, Pushing, Reply,
    Result, Revocation,
};

use crate::activity::count;
use crate::clock::{elapsed, now_ms};
use crate::complain::complain;
use crate::post::post;
use crate::store::{ChannelStore, PushTable, Store};

/// How long a subscription is reserved for one delivery, in milliseconds: longer than it takes.
const CLAIM_MS: u64 = 60_000;

/// How long a request waits after its answer for what is due, in milliseconds; the sweep sends what
/// is due later.
const LONGEST_WAIT_MS: u64 = 60_000;

/// Time between two sweeps of an instance.
const INTERVAL: Duration = Duration::from_secs(60);

/// Most channels of one sweep.
const CHANNELS: u64 = 64;

thread_local! {
    /// Channels for which this instance waits.
    static WAITING: RefCell<HashSet<String>> = RefCell::default();
    static LAST: Cell<Option<Duration>> = const { Cell::new(None) };
}

type AnswerPush = for<'a> fn(
    &'a ChannelStore,
    &'a Pushing,
    &'a PushOperation,
    &'a [u8],
    &'a Grant,
) -> LocalFuture<'a, Result<Reply>>;
type Revoke =
    for<'a> fn(&'a ChannelStore, &'a Pushing, &'a Revocation) -> LocalFuture<'a, Result<()>>;

/// The code of Web Push: a component has it only if its function says so.
#[derive(Clone, Copy)]
pub(crate) struct Pusher {
    /// Answers a request at the subscriptions.
    pub(crate) answer: AnswerPush,
    /// Removes the subscriptions of a reader whose access is revoked.
    pub(crate) revoke: Revoke,
    /// Sends what is due to the channel's subscriptions, as soon as it is due. The answer does not
    /// wait for it.
    pub(crate) deliver_later: fn(&ChannelStore, &Pushing),
    /// Starts a sweep of all channels of the function, unless this instance had one recently. The
    /// answer does not wait for it.
    pub(crate) sweep: fn(&ChannelStore, &Pushing),
}

impl Pusher {
    pub(crate) const NEW: Pusher = Pusher {
        answer: |store, push, asked, body, grant| Box::pin(answer(store, push, asked, body, grant)),
        revoke: |store, push, revocation| Box::pin(revoke(store, push, revocation)),
        deliver_later,
        sweep,
    };
}

/// The function has no Web Push.
pub(crate) fn absent() -> Error {
    Error::new(ErrorKind::RouteNotFound, "channels of this function have no Web Push")
}

/// The subscriptions of one channel.
struct Channel<'a>(&'a ChannelStore);

async fn answer(
    store: &ChannelStore,
    push: &Pushing,
    asked: &PushOperation,
    body: &[u8],
    grant: &Grant,
) -> Result<Reply> {
    if *asked == PushOperation::Sweep {
        deliver_all(function(store), push).await?;
    }
    with(store, push, async |at| push.service.answer(asked, body, grant, at).await).await
}

async fn revoke(store: &ChannelStore, push: &Pushing, revocation: &Revocation) -> Result<()> {
    with(store, push, async |at| push.service.revoke(revocation, at).await).await
}

fn deliver_later(store: &ChannelStore, push: &Pushing) {
    let (store, push) = (store.clone(), push.clone());
    let is_first = WAITING.with_borrow_mut(|waiting| waiting.insert(store.name().to_owned()));
    if !is_first {
        return;
    }
    spawn(async move {
        loop {
            let name = store.name();
            // A later publish starts another task, or is sent by this one.
            WAITING.with_borrow_mut(|waiting| waiting.remove(name));
            let next_ms = store.next_push_ms().await;
            let wait_ms = match next_ms {
                Ok(Some(next_ms)) => next_ms.saturating_sub(now_ms()),
                Ok(None) => return,
                Err(cause) => return complain(Some(&store.hash()), cause),
            };
            if wait_ms > LONGEST_WAIT_MS
                || !WAITING.with_borrow_mut(|waiting| waiting.insert(name.to_owned()))
            {
                return;
            }
            // A clock that counts in larger steps must not wake it early.
            monotonic_clock::wait_for((wait_ms + 1) * 1_000_000).await;
            if let Err(error) = deliver(&store, &push).await {
                WAITING.with_borrow_mut(|waiting| waiting.remove(name));
                return complain(Some(&store.hash()), error);
            }
        }
    });
}

fn sweep(store: &ChannelStore, push: &Pushing) {
    let now = elapsed();
    if LAST.get().is_some_and(|last| now < last + INTERVAL) {
        return;
    }
    LAST.set(Some(now));
    let (function, push) = (function(store).to_owned(), push.clone());
    spawn(async move {
        if let Err(error) = deliver_all(&function, &push).await {
            complain(None, error);
        }
    });
}

fn function(store: &ChannelStore) -> &str {
    store.name().split('/').next().unwrap_or_default()
}

async fn deliver_all(function: &str, push: &Pushing) -> Result<()> {
    for channel in ChannelStore::due_push(function, now_ms(), CHANNELS).await? {
        deliver(&ChannelStore::named(function, &channel), push).await?;
    }
    Ok(())
}

async fn deliver(store: &ChannelStore, push: &Pushing) -> Result<()> {
    with(store, push, async |at| push.service.deliver(at).await).await
}

async fn with<T>(
    store: &ChannelStore,
    push: &Pushing,
    work: impl AsyncFnOnce(PushAt<'_>) -> Result<T>,
) -> Result<T> {
    let (_, channel) = store.name().split_once('/').unwrap_or_default();
    let hash = store.hash();
    let rows = Channel(store);
    work(PushAt { channel, hash: &hash, settings: &push.settings, store: &rows }).await
}

impl PushStore for Channel<'_> {
    fn rows(&self) -> LocalFuture<'_, Result<Vec<PushRow>>> {
        Box::pin(async { Ok(self.0.push_rows().await?) })
    }

    fn due(&self) -> LocalFuture<'_, Result<Vec<PushRow>>> {
        Box::pin(async { Ok(self.0.claim_push(now_ms(), now_ms() + CLAIM_MS).await?) })
    }

    fn put(&self, row: PushRow) -> LocalFuture<'_, Result<()>> {
        Box::pin(async { Ok(self.0.put_push(row).await?) })
    }

    fn save(&self, row: PushRow) -> LocalFuture<'_, Result<()>> {
        Box::pin(async { Ok(self.0.save_push(row).await?) })
    }

    fn settle(&self, row: PushRow, pushed: u64) -> LocalFuture<'_, Result<()>> {
        Box::pin(async move { Ok(self.0.settle_push(row, pushed, now_ms()).await?) })
    }

    fn remove(&self, id: String) -> LocalFuture<'_, Result<()>> {
        Box::pin(async { Ok(self.0.remove_push(id).await?) })
    }

    fn events(&self, after: u64) -> LocalFuture<'_, Result<PushPage>> {
        Box::pin(async move { Ok(self.0.push_page(after).await?) })
    }

    fn post(&self, request: PushPost) -> LocalFuture<'_, Option<PushAnswer>> {
        Box::pin(post(request, PUSH_TIMEOUT_MS, PUSH_ANSWER_BYTES))
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn random(&self) -> [u8; PUSH_RANDOM_BYTES] {
        let mut random = [0; PUSH_RANDOM_BYTES];
        let mut drawn = 0;
        // The platform may give fewer at once than it was asked for.
        while let Some(rest) = random.get_mut(drawn..).filter(|rest| !rest.is_empty()) {
            let bytes = get_random_bytes(rest.len() as u64);
            rest.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
            drawn += bytes.len();
        }
        random
    }

    fn log(&self, line: String) {
        println!("{line}");
    }

    fn count(&self, result: &'static str) {
        count(self.0, |activity| *activity.pushes.entry(result).or_default() += 1);
    }
}
