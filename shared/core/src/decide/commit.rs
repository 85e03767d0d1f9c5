//! The writes of a change, for the adapter.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::moment::Moment;
use crate::access::Grant;
use crate::channel::{Channel, Event, Row};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ContentType, Reply};
use crate::policy::Policy;
use crate::publish::{Forgetting, Producer, ProducerState, depth};

/// The result of a change. The adapter must acknowledge it only after writing it.
#[derive(Debug)]
pub enum Write {
    /// Write nothing and answer.
    Nothing(Reply),
    /// Write, wake the readers, then answer: the answer acknowledges.
    Commit(Box<Commit>, Reply),
    /// Remove the whole channel, disconnect its readers, then answer.
    Delete(Reply),
}

/// The rows to write, and the channel after them.
#[derive(Debug)]
pub struct Commit {
    /// State after the write.
    pub channel: Channel,
    /// New events, at explicit positions: a store that finds a position taken must decide again,
    /// because another writer was faster.
    pub rows: Vec<Row>,
    /// Whether the channel's own row must be written, because more than its events changed.
    pub is_channel_changed: bool,
    /// Whether the write creates the channel. The adapter must first remove the remains of an
    /// expired channel of the name.
    pub is_new: bool,
    /// The producer that appended. Its state is kept as long as the channel, independent of
    /// retention.
    pub producer: Option<Producer>,
    /// The tallies of the publish to store, with their ids.
    pub tallies: Vec<(String, ProducerState)>,
    /// Which tallies the channel forgets, after these were written.
    pub forgetting: Option<Forgetting>,
    /// When the subscriptions of Web Push are due that are not due already, if the channel has
    /// any: it is written with the events, so that no crash comes between.
    pub push_due_ms: Option<u64>,
    /// A stored event whose data is replaced; see also [`Commit::drops_snapshots`].
    pub erased: Option<Event>,
    /// Whether the rows may stand after events that others appended in the meantime, if nothing
    /// else of the channel changed; see [`Commit::place_after`].
    pub is_placeable: bool,
}

impl Commit {
    /// Whether every snapshot of the channel is removed: they cover the event that is erased.
    pub fn drops_snapshots(&self) -> bool {
        self.erased.is_some() && self.channel.snapshot.is_none()
    }

    /// Whether it writes new events and nothing else, to a channel that exists.
    pub fn adds_only_events(&self) -> bool {
        !(self.is_new || self.is_channel_changed)
            && self.tallies.is_empty()
            && self.forgetting.is_none()
            && self.push_due_ms.is_none()
            && self.erased.is_none()
    }

    /// Whether the readers see new events of it and nothing else: these may wait for the next
    /// ones, as [`Burst`](crate::Burst) says.
    pub fn may_join_others(&self) -> bool {
        !(self.is_new || self.is_channel_changed) && self.erased.is_none()
    }

    /// Continues a later tail, with the bytes of the channel up to it, than the one decided upon:
    /// the store has placed the rows there. `reply` then acknowledges these positions.
    pub fn place_after(&mut self, tail: u64, total: u64, reply: &mut Reply) {
        let bytes: u64 = self.rows.iter().map(|row| row.event.data.len() as u64).sum();
        let moved = (tail + self.rows.len() as u64, total + bytes);
        if (self.channel.tail, self.channel.total) == moved {
            return;
        }
        let (mut seq, mut total) = (tail, total);
        for row in &mut self.rows {
            seq += 1;
            total += row.event.data.len() as u64;
            (row.event.seq, row.total) = (seq, total);
        }
        (self.channel.tail, self.channel.total) = moved;
        self.channel.tail_offset().set(reply);
    }

    pub(crate) fn by(
        self,
        producer: Option<&Producer>,
        tallies: Vec<(String, ProducerState)>,
        moment: Moment,
    ) -> Commit {
        let forgetting = if tallies.is_empty() {
            None
        } else {
            Forgetting::due(&self.channel, self.rows.len() as u64, moment.now_ms)
        };
        Commit { producer: producer.cloned(), tallies, forgetting, ..self }
    }
}

/// The rows for new events and the channel after them; creates the channel if it does not exist.
pub(crate) fn write(
    mut channel: Channel,
    events: Vec<Vec<u8>>,
    grant: &Grant,
    policy: &Policy,
    moment: Moment,
) -> Result<Commit> {
    if events.len() as u64 > policy.max_batch_events {
        let why = format!(
            "one publish has {} events, at most {} are allowed: send them in several",
            events.len(),
            policy.max_batch_events
        );
        return Err(Error::new(ErrorKind::BatchTooLarge, why));
    }
    within_limits(&events, &channel.content_type, policy)?;
    let events = events
        .into_iter()
        .map(|event| checked(event, &channel.content_type, grant, policy, moment.now_ms))
        .filter(|checked| !matches!(checked, Ok(event) if event.is_empty()))
        .collect::<Result<Vec<_>>>()?;
    let is_new = !channel.exists();
    if is_new {
        channel.epoch = moment.epoch();
        channel.expiry =
            policy.expiry(None, moment.now_ms)?.map(|expiry| expiry.begun(moment.now_ms));
    }
    if channel.first > channel.tail && !events.is_empty() {
        channel.first_at_ms = moment.now_ms;
    }
    let push = policy.push.as_ref();
    let push =
        push.filter(|push| push.is_on() && events.iter().any(|event| push.service.is_owed(event)));
    let push_due_ms = push.map(|push| moment.now_ms + push.settings.delay_ms);
    let rows = add(&mut channel, events, moment.now_ms);
    if let Some(documents) = policy.documents {
        documents.check_room(&channel)?;
    }
    Ok(Commit {
        channel,
        rows,
        is_channel_changed: is_new,
        is_new,
        producer: None,
        tallies: Vec::new(),
        forgetting: None,
        push_due_ms,
        erased: None,
        is_placeable: false,
    })
}

/// Moves the tail over new events, and returns their rows.
fn add(channel: &mut Channel, events: Vec<Vec<u8>>, at_ms: u64) -> Vec<Row> {
    let numbered = events.into_iter().map(|data| {
        channel.tail += 1;
        channel.total += data.len() as u64;
        Row { event: Event { seq: channel.tail, data }, at_ms, total: channel.total }
    });
    numbered.collect()
}

/// Refuses events that are too long, and JSON that is too deep.
fn within_limits(events: &[Vec<u8>], content_type: &ContentType, policy: &Policy) -> Result<()> {
    if let Some(large) = events.iter().find(|event| event.len() as u64 > policy.max_event_bytes) {
        let why = format!(
            "an event has {} bytes, at most {} are allowed",
            large.len(),
            policy.max_event_bytes
        );
        return Err(Error::new(ErrorKind::EventTooLarge, why));
    }
    if content_type.is_json() {
        events.iter().try_for_each(|event| depth::check(event, policy.max_json_depth))?;
    }
    Ok(())
}

/// The bytes to store for an event, by the function's own rules. Readers parse them, so other bytes
/// than the client's must keep the same limits.
fn checked(
    event: Vec<u8>,
    content_type: &ContentType,
    grant: &Grant,
    policy: &Policy,
    now_ms: u64,
) -> Result<Vec<u8>> {
    let changed = match (policy.check)(&event, grant, now_ms)? {
        Cow::Borrowed(same) if std::ptr::eq(same, event.as_slice()) => None,
        changed => Some(changed.into_owned()),
    };
    let changed = match changed {
        None => return Ok(event),
        // It is not stored.
        Some(nothing) if nothing.is_empty() => return Ok(nothing),
        Some(changed) => changed,
    };
    let is_right = match content_type {
        json if json.is_json() => serde_json::from_slice::<&RawValue>(&changed).is_ok(),
        text if text.is_text() => std::str::from_utf8(&changed).is_ok(),
        _ => true,
    };
    if !is_right {
        return Err(Error::new(
            ErrorKind::Internal,
            format!(
                "the check of the function returned bytes that are not {}",
                content_type.as_str()
            ),
        ));
    }
    within_limits(std::slice::from_ref(&changed), content_type, policy)?;
    Ok(changed)
}
