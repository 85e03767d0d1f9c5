//! The store of channels: one trait, one folder for each engine.
//!
//! The core decides, and an engine stores what it is given. No file outside of an engine's room
//! knows which engine it is: to add one, implement [`Store`] in a room beside `sqlite`, and name it
//! in [`ChannelStore`]. A build has one engine, so that a component imports one.

pub(crate) mod health;
#[cfg(feature = "redis")]
mod redis;
#[cfg(not(feature = "redis"))]
mod sqlite;

use std::fmt;
use std::time::Duration;

use tidewire_access::KeyCache;
use tidewire_core::{
    Authored, Channel, Commit, Lease, Member, Page, PageLimit, Policy, PushPage, PushRow,
    Retention, Revocation, RowSize, Snapshot, Tally, Tenant, Version, hash,
};

/// The engine of this build.
#[cfg(feature = "redis")]
pub(crate) type ChannelStore = redis::RedisStore;
/// The engine of this build.
#[cfg(not(feature = "redis"))]
pub(crate) type ChannelStore = sqlite::SqliteStore;

/// A channel in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// A channel that is deleted and created again has another id.
    pub(crate) id: u64,
    pub(crate) channel: Channel,
}

/// The result of one look at the store.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) stored: Option<Stored>,
    /// An expired channel that no sweep has removed yet. A new channel of the name replaces it.
    pub(crate) expired: Option<Stored>,
    /// Newest epoch of a removed channel.
    pub(crate) last_epoch: u64,
    /// Changes with the members; 0 without any or without presence.
    pub(crate) presence_version: u64,
    /// Changes with each revocation; 0 without any.
    pub(crate) revocations_version: u64,
    /// The pulse of the channel, as [`Store::pulses`] returns it.
    pub(crate) pulse: Option<String>,
}

impl Look {
    /// Takes a channel that has expired out of `stored`.
    fn part_expired(&mut self, now_ms: u64) {
        if let Some(expired) = self.stored.take_if(|stored| stored.channel.is_expired(now_ms)) {
            self.last_epoch = self.last_epoch.max(expired.channel.epoch);
            self.expired = Some(expired);
        }
    }

    pub(crate) fn channel(&self) -> Option<&Channel> {
        self.stored.as_ref().map(|stored| &stored.channel)
    }
}

/// The keys of a provider of tokens, as stored.
#[derive(Default)]
pub(crate) struct StoredKeys {
    pub(crate) cache: KeyCache,
    /// The JWKS as published.
    pub(crate) json: Option<String>,
}

/// Where the events of a commit stand: after this tail, with the bytes of the channel up to it. An
/// engine may place them after the events of a faster writer; see [`Commit::place_after`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) tail: u64,
    pub(crate) total: u64,
}

/// A failure of the engine. Its text goes to the log, not to a client.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) text: String,
    /// Whether the engine may work again soon.
    pub(crate) is_unavailable: bool,
}

impl Fault {
    pub(crate) fn new(text: impl Into<String>) -> Fault {
        Fault { text: text.into(), is_unavailable: false }
    }

    /// A failure of an engine that may work again soon. A write may have been carried out.
    pub(crate) fn unavailable(text: impl Into<String>) -> Fault {
        Fault { text: text.into(), is_unavailable: true }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// Events looked at in one cut of retention.
const CUT_EVENTS: u64 = 1_000;

/// The store of one channel. Each operation is atomic, and what it wrote is durable when it
/// returns.
///
/// A decision has two ways into the store. [`append`](Store::append) takes events for the head that
/// was decided upon, and nothing else. An attempt, from [`begin`](Store::begin) to
/// [`commit`](Store::commit), takes everything that a decision carries.
pub(crate) trait Store: Sized {
    /// A change between its look and its commit. An engine with a lock holds it, so that a commit
    /// never fails for another writer; an engine without a lock remembers what it compares. Dropped
    /// without an end, an attempt has written nothing.
    type Attempt;

    /// The name of the engine in stats.
    const ENGINE: &'static str;

    /// Time between two questions for pulses while everything rests. Zero asks at every tick, where a
    /// question costs little.
    const REST: Duration;

    /// The channel of a function. Without presence, a look has no version of the members; without
    /// snapshots, it has no snapshots.
    fn new(function: &str, channel: &str, policy: &Policy) -> Self;

    /// Function and channel, with a slash between them.
    fn name(&self) -> &str;

    /// The channel, for operations without members and snapshots.
    fn named(function: &str, channel: &str) -> Self;

    fn has_presence(&self) -> bool;

    /// The name of the channel in the log.
    fn hash(&self) -> String {
        let (function, channel) = self.name().split_once('/').unwrap_or_default();
        hash(function, channel)
    }

    /// The channel alone.
    async fn load(&self) -> Result<Look>;

    /// The channel and its events after a position, in one consistent read. A look after the last
    /// position is how a reader finds out that there is news.
    async fn look(&self, after: u64, limit: PageLimit) -> Result<(Look, Page)>;

    /// The pulse of each of these channels, by [`name`](Store::name): a text that changes with
    /// everything that a reader could see. `None` if the last question was about the same names and
    /// nothing in the store has changed since.
    async fn pulses(names: &[String]) -> Result<Option<Vec<Option<String>>>>;

    /// Appends the events of a commit, which carries nothing else, to a channel whose head has not
    /// changed since the decision, or has only got other events where the commit [is
    /// placeable](Commit::is_placeable). `None` if the head has changed otherwise, or if one write
    /// cannot take so many events: nothing was written.
    async fn append(&self, before: &Stored, commit: &Commit) -> Result<Option<Placed>>;

    /// Begins an attempt with a look at the channel.
    async fn begin(&self) -> Result<(Self::Attempt, Look)>;

    /// Writes all of a commit that was decided upon the look `before`; what is left of an expired
    /// channel goes first. `None` if another writer was faster: nothing was written, begin again.
    async fn commit(
        &self,
        attempt: Self::Attempt,
        before: &Look,
        commit: &Commit,
    ) -> Result<Option<Placed>>;

    /// Removes the whole channel but its revocations and its epoch, as the newest of a removed
    /// channel. `false` if another writer was faster.
    async fn delete(&self, attempt: Self::Attempt, stored: &Stored) -> Result<bool>;

    /// Ends an attempt without a commit. A new time of the last read or write stays.
    async fn end(&self, attempt: Self::Attempt) -> Result<()>;

    /// The state that the channel has of each of these tallies.
    async fn known(
        &self,
        attempt: Option<&Self::Attempt>,
        stored: &Stored,
        tallies: Vec<Tally>,
    ) -> Result<Vec<Tally>>;

    /// One event with its publisher.
    async fn event(
        &self,
        attempt: &Self::Attempt,
        stored: &Stored,
        seq: u64,
    ) -> Result<Option<Authored>>;

    /// Stores when the channel was read or written, from which its sliding TTL counts. A channel
    /// that has expired in the meantime stays expired.
    async fn touch(
        &self,
        attempt: Option<&Self::Attempt>,
        id: u64,
        channel: &Channel,
    ) -> Result<()>;

    /// The revocations of the channel that are in force.
    async fn revocations(&self, attempt: Option<&Self::Attempt>) -> Result<Vec<Revocation>>;

    /// Adds a revocation, with a new version.
    async fn put_revocation(&self, revocation: &Revocation) -> Result<()>;

    /// Members with their leases, including expired ones.
    async fn leases(&self) -> Result<Vec<Lease>>;

    /// Writes a member's update. Only news gets a new version, which was never used before: a
    /// renewal costs the readers no read of the members.
    async fn put_member(
        &self,
        said: &Member,
        is_news: bool,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<()>;

    /// The sizes of the oldest events.
    async fn sizes(&self, stored: &Stored, most: u64) -> Result<Vec<RowSize>>;

    /// Removes the events before the first one that is kept. A cut is right whatever others append.
    async fn cut(&self, stored: &Stored, kept: &Channel) -> Result<()>;

    /// Drops the events that retention does not keep.
    async fn retain(&self, stored: &Stored, retention: &Retention, now_ms: u64) -> Result<()> {
        let sizes = self.sizes(stored, CUT_EVENTS).await?;
        self.cut(stored, &retention.cut(&stored.channel, now_ms, sizes)).await
    }

    /// The data of a snapshot, if the channel has it.
    async fn snapshot(&self, stored: &Stored, seq: u64) -> Result<Option<Vec<u8>>>;

    /// The snapshots kept, oldest first.
    async fn versions(&self, stored: &Stored) -> Result<Vec<Version>>;

    /// Stores a snapshot and removes the oldest above the number that is kept. `false` if the
    /// channel has another newest snapshot or another revision by now: nothing was written.
    async fn put_snapshot(&self, stored: &Stored, snapshot: &Snapshot) -> Result<bool>;

    /// Removes whole channels of a function's tenant, a bounded number; `false` if more are left.
    async fn erase_tenant(function: &str, tenant: &Tenant) -> Result<bool>;

    /// Removes expired channels of all functions, and of each at most this many events and tallies;
    /// the next call continues.
    async fn remove_expired(channels: u64, rows: u64) -> Result<()>;

    /// The keys behind an address, which all functions of the application share.
    async fn keys(url: &str) -> Result<StoredKeys>;

    /// Whether this request must fetch the keys: no other has started since `asked_ms`.
    async fn claim_keys(url: &str, asked_ms: Option<u64>) -> Result<bool>;

    /// Ends a claim, with the JWKS if it was fetched.
    async fn put_keys(url: &str, json: Option<String>) -> Result<()>;
}

/// The subscriptions of Web Push of one channel.
pub(crate) trait PushTable: Sized {
    async fn push_rows(&self) -> Result<Vec<PushRow>>;

    /// The subscriptions that are due, each to one caller until then or until it is settled.
    /// Removes subscriptions that have ended.
    async fn claim_push(&self, now_ms: u64, until_ms: u64) -> Result<Vec<PushRow>>;

    /// Adds or replaces a subscription.
    async fn put_push(&self, row: PushRow) -> Result<()>;

    /// Stores how far a delivery is, if the subscription still exists.
    async fn save_push(&self, row: PushRow) -> Result<()>;

    /// Stores the end of a delivery. It is due at once if the channel has events after `pushed`.
    async fn settle_push(&self, row: PushRow, pushed: u64, now_ms: u64) -> Result<()>;

    async fn remove_push(&self, id: String) -> Result<()>;

    /// Events after a position.
    async fn push_page(&self, after: u64) -> Result<PushPage>;

    /// When a subscription is due next, in milliseconds since 1970.
    async fn next_push_ms(&self) -> Result<Option<u64>>;

    /// Channels of a function that are due, without the function's name.
    async fn due_push(function: &str, now_ms: u64, most: u64) -> Result<Vec<String>>;
}
