//! What an adapter has to do next, and what it says of the moment.

use super::erase::ErasePlan;
use crate::access::Revocation;
use crate::channel::{Channel, Event, Gap, Row};
use crate::http::Reply;
use crate::presence::{Member, Presence};
use crate::publish::{Forgetting, Producer, ProducerState};
use crate::stats::Stats;
use crate::wire::{Framing, PagePlan};

/// The next step of the adapter.
#[derive(Debug)]
pub enum Decision {
    /// Answer; nothing changes.
    Reply(Reply),
    /// Write, wake the readers, then answer: the answer acknowledges.
    Commit(Box<Commit>, Reply),
    /// Remove the channel whole, end its readers, then answer.
    Delete(Reply),
    /// Read a page after a position and answer with [`PagePlan::reply`].
    Page(PagePlan),
    /// Keep the reader: send it what [`Framing`] encodes.
    Subscribe(Subscribe),
    /// Read the event and go on with [`ErasePlan::decide`].
    Erase(ErasePlan),
    /// Answer with those present, once a member has said this of itself, if any.
    Presence(Presence, Option<Member>),
    /// Keep the revocation, end the connections that it concerns, then answer. The channel need not exist.
    Revoke(Revocation, Reply),
    /// Answer with [`Stats::reply`].
    Stats(Stats),
}

/// A write: the rows, and the channel as it is after them.
#[derive(Debug)]
pub struct Commit {
    /// State after the write.
    pub channel: Channel,
    /// New events, at explicit positions: a store that finds one taken has a rival and must decide again.
    pub rows: Vec<Row>,
    /// Whether something else than its events changed, so that the channel's own row is to be written.
    pub is_channel_changed: bool,
    /// Whether it makes the channel. What the store still has of an expired one of the name goes first.
    pub is_new: bool,
    /// The producer that appended. What is known of it is kept as long as the channel, whatever retention drops.
    pub producer: Option<Producer>,
    /// What the channel is to know of who published, and under which ids.
    pub tallies: Vec<(String, ProducerState)>,
    /// Which of those that it knows it forgets, after the tallies were written.
    pub forgetting: Option<Forgetting>,
    /// An event that was there before and has other data now.
    pub erased: Option<Event>,
}

impl Commit {
    pub(crate) fn by(self, producer: Option<&Producer>, tallies: Vec<(String, ProducerState)>, moment: Moment) -> Commit {
        let forgetting = if tallies.is_empty() { None } else { Forgetting::due(&self.channel, self.rows.len() as u64, moment.now_ms) };
        Commit { producer: producer.cloned(), tallies, forgetting, ..self }
    }
}

/// A reader to keep.
#[derive(Clone, Copy, Debug)]
pub struct Subscribe {
    /// How its events are encoded.
    pub framing: Framing,
    /// Position after which it reads.
    pub after: u64,
    /// What it is to be told first.
    pub gap: Option<Gap>,
    /// Its first cursor; see [`next_cursor`].
    pub cursor: u64,
}

/// When it is, and what chance says.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// A random number; it only spreads cache keys and reconnects.
    pub entropy: u32,
    /// Epoch of a channel that this name had before, as far as is known; 0 if none.
    pub last_epoch: u64,
}

impl Moment {
    pub(crate) fn epoch(&self) -> u64 {
        self.now_ms.max(self.last_epoch + 1)
    }
}
