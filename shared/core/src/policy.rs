//! The decisions of a function about its channels.

use std::borrow::Cow;

use crate::access::Grant;
use crate::awareness;
use crate::channel::{Channel, Event, Expiry, Keys, Offset, PageLimit, Retention, SnapshotUse};
use crate::document::Documents;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ContentType, Polling};
use crate::presence::{Member, Presence};
use crate::publish::{Producer, Rate, Tally};
use crate::push::{Push, Pushing};
use crate::settings::Settings;

/// How a channel is created.
#[derive(Clone, Debug)]
pub enum Creation {
    /// By the first publish, with this content type.
    OnPublish(ContentType),
    /// By `PUT`, as Durable Streams says.
    OnPut,
}

/// Events kept in a channel under `demo-`.
pub(crate) const DEMO_EVENTS: u64 = 1_000;
/// Bytes kept in it.
pub(crate) const DEMO_BYTES: u64 = 1024 * 1024;
/// Snapshots kept of it.
pub(crate) const DEMO_SNAPSHOTS: u64 = 4;
/// Seconds after the last read or append at which it ends, and age at which its events are dropped.
pub(crate) const DEMO_LIFE_S: u32 = 3_600;
/// Its readers at once.
pub(crate) const DEMO_READERS: u64 = 1_000;
/// Events of all its visitors together: a page for drawing may send twenty a second.
pub(crate) const DEMO_RATE: Rate = Rate { events: 200, per_ms: 10_000 };

/// A function's own rules for an event, called for each event of a publish on every transport:
/// `check(event, grant, now_ms)`.
///
/// The grant says who publishes; `now_ms` is the server's time in milliseconds since 1970. The
/// check refuses the event with [`ErrorKind::EventRefused`], or returns the bytes to store, send
/// and count: `event.into()` for the event as it is, other bytes, or empty bytes for an event that
/// brings nothing: it is acknowledged and not stored. Other bytes must match the channel's content
/// type and keep the limits of an event: [`ErrorKind::EventTooLarge`], [`ErrorKind::JsonTooDeep`].
///
/// Its result must depend on its arguments alone: a publish that is decided twice is checked twice.
/// A publish that a producer repeats is not checked.
pub type Check = for<'a> fn(&'a [u8], &Grant, u64) -> Result<Cow<'a, [u8]>>;

/// Makes a channel's new snapshot from the last one, if any, and from the events after it, in order.
///
/// A snapshot of the past is the data of one event of the channel's content type, and readers get
/// it as such. The result must depend on the arguments alone, and take time and memory in proportion
/// to them. An error leaves everything as it was and is logged; the next compaction tries again.
pub type Compact = fn(Option<&[u8]>, &[Event]) -> Result<Vec<u8>>;

/// How a function's channels are compacted: [`Policy::with_snapshots`], [`Policy::with_latest`].
#[derive(Clone, Copy, Debug)]
pub struct Snapshots {
    /// Makes a snapshot; `None` for the newest event of each key, which the core makes.
    pub(crate) compact: Option<Compact>,
    /// Events since the last snapshot at which a new one is due.
    pub every_events: u64,
    /// Bytes of events since the last snapshot at which a new one is due; at least a quarter of it.
    pub every_bytes: u64,
    /// Longest snapshot in bytes; a compaction to more has failed.
    pub max_bytes: u64,
    /// Most snapshots that a channel keeps as versions.
    pub most: u64,
}

impl Snapshots {
    /// What they stand for.
    pub fn stands_for(&self) -> SnapshotUse {
        if self.compact.is_some() { SnapshotUse::Past } else { SnapshotUse::Latest }
    }
}

/// Longest snapshot, in bytes.
pub(crate) const SNAPSHOT_BYTES: u64 = 8 * 1024 * 1024;
/// Most snapshots that a channel keeps.
pub(crate) const SNAPSHOTS: u64 = 32;

/// The rules by which a channel is [read](crate::decide_read) and [changed](crate::decide_change);
/// a function gives them once, from its settings.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How a channel is created.
    pub creation: Creation,
    /// How many events a channel keeps.
    pub retention: Retention,
    /// Size of a page.
    pub page: PageLimit,
    /// Longest event, in bytes.
    pub max_event_bytes: u64,
    /// Most events in one publish.
    pub max_batch_events: u64,
    /// The function's own rules for an event.
    pub check: Check,
    /// Deepest nesting of a JSON event.
    pub max_json_depth: u64,
    /// Most readers at once, if the platform can count them.
    pub max_readers: u64,
    /// How often one publisher may publish. A publisher is the identity of a credential, else one
    /// `Producer-Id`; all clients without either count as one.
    pub rate: Option<Rate>,
    /// How often all clients without a credential may publish together, because a client can change
    /// its `Producer-Id` at will.
    pub anonymous_rate: Option<Rate>,
    /// Longest time that a channel lives after the last read or append, in seconds, even without an
    /// expiry of its own.
    pub max_life_s: Option<u32>,
    /// Presence, if the function offers it.
    pub presence: Option<Presence>,
    /// The tombstone that replaces an erased event, given its offset, and notifies live readers. It
    /// contains the text of the offset, by which a tombstone is known and not erased itself. Without
    /// it no event can be erased. [`Policy::check`] should refuse it from publishers.
    pub tombstone: Option<fn(Offset) -> Vec<u8>>,
    /// The hints for short polls.
    pub polling: Polling,
    /// The keys of an event, for polls of the newest event of each key (`view=latest`). That view
    /// omits an event without keys.
    pub latest: Option<Keys>,
    /// How channels are compacted, if they are.
    pub snapshots: Option<Snapshots>,
    /// Whether its channels are shared documents.
    pub documents: Option<Documents>,
    /// How its channels push to closed pages, if they do.
    pub push: Option<Pushing>,
}

impl Policy {
    /// The limits from the settings, with the function's way to create channels.
    pub fn new(creation: Creation, settings: &Settings) -> Policy {
        Policy {
            creation,
            retention: Retention {
                max_events: settings.retention_max_events,
                max_bytes: settings.retention_max_bytes,
                max_age_ms: settings.retention_max_age_s.saturating_mul(1000),
                keeps_uncovered: false,
            },
            page: PageLimit {
                max_events: settings.page_max_events,
                max_bytes: settings.page_max_bytes,
            },
            max_event_bytes: settings.max_event_bytes,
            max_batch_events: settings.max_batch_events,
            check: |event, _, _| Ok(event.into()),
            max_json_depth: settings.max_json_depth,
            max_readers: settings.max_readers,
            rate: None,
            anonymous_rate: None,
            max_life_s: None,
            presence: None,
            tombstone: None,
            polling: Polling::default(),
            latest: None,
            snapshots: None,
            documents: None,
            push: None,
        }
    }

    /// The same rules, for channels whose snapshots stand for their past: a reader without the
    /// oldest events gets the snapshot in their place, and retention drops only what a snapshot
    /// covers.
    #[must_use]
    pub fn with_snapshots(self, compact: Compact, settings: &Settings) -> Policy {
        let snapshots = Snapshots {
            compact: Some(compact),
            every_events: settings.snapshot_events,
            every_bytes: settings.snapshot_bytes,
            max_bytes: SNAPSHOT_BYTES,
            most: SNAPSHOTS,
        };
        Policy {
            retention: Retention { keeps_uncovered: true, ..self.retention },
            snapshots: Some(snapshots),
            ..self
        }
    }

    /// The same rules, with `view=latest` by these keys: a snapshot holds the newest event of each,
    /// so that a poll of a long channel reads the snapshot and the events after it.
    #[must_use]
    pub fn with_latest(self, keys: Keys, settings: &Settings) -> Policy {
        let snapshots = Snapshots {
            compact: None,
            every_events: settings.snapshot_events,
            every_bytes: settings.snapshot_bytes,
            max_bytes: SNAPSHOT_BYTES,
            most: 1,
        };
        Policy { latest: Some(keys), snapshots: Some(snapshots), ..self }
    }

    /// The same rules, with Web Push, which begins once `VAPID_KEYS` is set. The function must also
    /// say [`Function::WEB_PUSH`](crate::Function::WEB_PUSH).
    #[must_use]
    pub fn with_push(self, service: &'static dyn Push, settings: &Settings) -> Policy {
        Policy { push: Some(Pushing::new(service, settings)), ..self }
    }

    /// The stand-in for a channel that does not exist; `None` if only `PUT` creates channels.
    pub fn absent(&self) -> Option<Channel> {
        self.implicit_type().map(|content_type| Channel::absent(content_type.clone()))
    }

    /// The channel's memory of the publisher: one [`Tally`] for each id. Empty for a publish that
    /// needs no memory.
    pub fn tallies(&self, grant: &Grant, producer: Option<&Producer>) -> Vec<Tally> {
        Tally::of(grant, producer, self.rate, self.anonymous_rate)
    }

    /// The presence of the function.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RouteNotFound`] if it has none.
    pub fn presence(&self) -> Result<Presence> {
        self.presence.ok_or_else(|| {
            Error::new(ErrorKind::RouteNotFound, "channels of this function have no presence")
        })
    }

    /// The update that readers get when a member has left. For a client of a document it has the
    /// last clock and the state `null`.
    pub fn farewell(&self, member: &Member) -> Member {
        let left = self.documents.and_then(|_| awareness::left(member));
        left.unwrap_or_else(|| member.gone())
    }

    /// The same rules, but small, short-lived and limited in rate: they bound the cost that
    /// strangers can cause.
    #[must_use]
    pub fn demo(self) -> Policy {
        let Retention { max_events, max_bytes, max_age_ms, keeps_uncovered } = self.retention;
        Policy {
            retention: Retention {
                max_events: max_events.min(DEMO_EVENTS),
                max_bytes: max_bytes.min(DEMO_BYTES),
                max_age_ms: max_age_ms.min(u64::from(DEMO_LIFE_S) * 1000),
                keeps_uncovered,
            },
            snapshots: self.snapshots.map(|snapshots| Snapshots {
                max_bytes: snapshots.max_bytes.min(DEMO_BYTES),
                most: snapshots.most.min(DEMO_SNAPSHOTS),
                ..snapshots
            }),
            documents: self.documents.map(|documents| Documents {
                max_bytes: documents.max_bytes.min(DEMO_BYTES),
                ..documents
            }),
            push: self.push.map(|push| push.demo(u64::from(DEMO_LIFE_S) * 1000)),
            max_readers: self.max_readers.min(DEMO_READERS),
            rate: self.rate.or(Some(DEMO_RATE)),
            anonymous_rate: Some(DEMO_RATE),
            max_life_s: Some(DEMO_LIFE_S),
            ..self
        }
    }

    /// The same, within what the platform can: as many readers, and events of so many bytes, at
    /// most.
    #[must_use]
    pub fn within(self, max_readers: u64, max_event_bytes: u64) -> Policy {
        Policy {
            max_readers: self.max_readers.min(max_readers),
            max_event_bytes: self.max_event_bytes.min(max_event_bytes),
            ..self
        }
    }

    /// The expiry of a channel that is about to be created.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HeaderInvalid`] if the channel would live longer than allowed.
    pub(crate) fn expiry(&self, asked: Option<Expiry>, now_ms: u64) -> Result<Option<Expiry>> {
        let Some(longest_s) = self.max_life_s else { return Ok(asked) };
        let asked = asked.unwrap_or(Expiry::Sliding { ttl_s: longest_s, touched_at_ms: 0 });
        let is_longer = match asked {
            Expiry::Sliding { ttl_s, .. } => ttl_s > longest_s,
            Expiry::At { at_ms } => at_ms > now_ms + u64::from(longest_s) * 1000,
        };
        if is_longer {
            return Err(Error::new(
                ErrorKind::HeaderInvalid,
                format!(
                    "a channel of this name must end within {longest_s} s: send a shorter Stream-TTL or an earlier Stream-Expires-At"
                ),
            ));
        }
        Ok(Some(asked))
    }

    /// Content type of channels that a publish creates.
    pub(crate) fn implicit_type(&self) -> Option<&ContentType> {
        match &self.creation {
            Creation::OnPublish(content_type) => Some(content_type),
            Creation::OnPut => None,
        }
    }
}
