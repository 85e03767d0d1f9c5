//! What a change has the adapter write.

use super::moment::Moment;
use crate::channel::{Channel, Event, Row};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::policy::Policy;
use crate::publish::{Forgetting, Producer, ProducerState, depth};

/// What a change comes to. Until the adapter has written it, nothing is acknowledged.
#[derive(Debug)]
pub enum Write {
    /// Write nothing and answer.
    Nothing(Reply),
    /// Write, wake the readers, then answer: the answer acknowledges.
    Commit(Box<Commit>, Reply),
    /// Remove the channel whole, end its readers, then answer.
    Delete(Reply),
}

/// The rows to write, and the channel as it is after them.
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

/// The rows for new events and the channel after them; makes the channel when it does not exist.
pub(crate) fn write(mut channel: Channel, events: Vec<Vec<u8>>, policy: &Policy, moment: Moment) -> Result<Commit> {
    if events.len() as u64 > policy.max_batch_events {
        let why = format!("one publish has {} events, at most {} are allowed: send them in several", events.len(), policy.max_batch_events);
        return Err(Error::new(ErrorKind::BatchTooLarge, why));
    }
    if let Some(large) = events.iter().find(|event| event.len() as u64 > policy.max_event_bytes) {
        let why = format!("an event has {} bytes, at most {} are allowed", large.len(), policy.max_event_bytes);
        return Err(Error::new(ErrorKind::EventTooLarge, why));
    }
    if channel.content_type.is_json() {
        events.iter().try_for_each(|event| depth::check(event, policy.max_json_depth))?;
    }
    events.iter().try_for_each(|event| (policy.check)(event))?;
    let is_new = !channel.exists();
    if is_new {
        channel.epoch = moment.epoch();
        channel.expiry = policy.expiry(None, moment.now_ms)?.map(|expiry| expiry.begun(moment.now_ms));
    }
    if channel.first > channel.tail && !events.is_empty() {
        channel.first_at_ms = moment.now_ms;
    }
    let rows = events
        .into_iter()
        .map(|data| {
            channel.tail += 1;
            channel.total += data.len() as u64;
            Row { event: Event { seq: channel.tail, data }, at_ms: moment.now_ms, total: channel.total }
        })
        .collect();
    Ok(Commit { channel, rows, is_channel_changed: is_new, is_new, producer: None, tallies: Vec::new(), forgetting: None, erased: None })
}
