//! Reads the replies of the server.

use std::collections::VecDeque;

use spin_sdk::redis::RedisResult;
use tidewire_access::KeyCache;
use tidewire_core::{
    Authored, Channel, ContentType, Event, Expiry, Fork, Lease, Member, ProducerState, PushEvent,
    PushPage, PushRow, Revocation, RowSize, SnapshotHead, SnapshotUse, Version,
};

use crate::store::{Fault, Look, Result, Stored, StoredKeys};

/// Bytes before the producer's id of an event in the list.
const HEADER_BYTES: usize = 18;

pub(super) fn damaged(what: &str) -> Fault {
    Fault::new(format!("the store has an invalid {what}"))
}

pub(super) fn bytes(value: RedisResult) -> Option<Vec<u8>> {
    match value {
        RedisResult::Nil => None,
        RedisResult::Status(text) => Some(text.into_bytes()),
        RedisResult::Int64(number) => Some(number.to_string().into_bytes()),
        RedisResult::Binary(bytes) => Some(bytes),
    }
}

fn text(value: RedisResult) -> Option<String> {
    String::from_utf8(bytes(value)?).ok()
}

/// The values as texts.
pub(super) fn texts(reply: Vec<RedisResult>) -> impl Iterator<Item = Option<String>> {
    reply.into_iter().map(text)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// The number at the beginning of a reply.
pub(super) fn first_number(reply: &[RedisResult]) -> Option<u64> {
    match reply.first()? {
        RedisResult::Int64(number) => u64::try_from(*number).ok(),
        RedisResult::Binary(bytes) => number(str::from_utf8(bytes).ok()?),
        _ => None,
    }
}

/// A look, and the events with it.
pub(super) fn look(
    reply: Vec<RedisResult>,
    has_presence: bool,
    stands_for: Option<SnapshotUse>,
) -> Option<(Look, Vec<Event>)> {
    let mut values = VecDeque::from(reply);
    let mut next = || values.pop_front().and_then(text);
    let mut optional_number = || next().as_deref().and_then(number);
    let last_epoch = optional_number().unwrap_or(0);
    let presence_version = optional_number().filter(|_| has_presence).unwrap_or(0);
    let revocations_version = optional_number().unwrap_or(0);
    let pulse = next();
    let mut look = Look {
        stored: None,
        expired: None,
        last_epoch,
        presence_version,
        revocations_version,
        pulse,
    };
    let Some(id) = next() else { return Some((look, Vec::new())) };
    let epoch = number(&next()?)?;
    let mut channel = Channel::new(epoch, ContentType::parse(&next()?)?);
    channel.closed = next()? == "1";
    channel.stream_seq = next();
    let mut number_of = || number(&next()?);
    channel.revision = number_of()?;
    channel.tail = number_of()?;
    channel.total = number_of()?;
    channel.first = number_of()?;
    channel.first_at_ms = number_of()?;
    channel.dropped = number_of()?;
    let [ttl_s, expires_at_ms, touched_at_ms] = [number_of(), number_of(), number_of()];
    channel.expiry = Expiry::from_columns(ttl_s, expires_at_ms, touched_at_ms);
    let snapshots = next().unwrap_or_default();
    channel.snapshot = stands_for.and_then(|stands_for| {
        let [seq, _, total, bytes] = snapshot_numbers(&snapshots).next_back()??;
        Some(SnapshotHead { seq, total, bytes, stands_for })
    });
    channel.forks = forks(&next().unwrap_or_default())?;
    let from = number(&next()?)?;
    look.stored = Some(Stored { id: number(&id)?, channel });
    let events =
        (from..).zip(values).map(|(seq, value)| Some(Event { seq, data: authored(value)?.data }));
    Some((look, events.collect::<Option<_>>()?))
}

/// The epochs that ended on other servers.
fn forks(list: &str) -> Option<Vec<Fork>> {
    let fork = |entry: &str| {
        let (epoch, tail) = entry.split_once(' ')?;
        Some(Fork { epoch: number(epoch)?, tail: number(tail)? })
    };
    list.split_terminator(';').map(fork).collect()
}

/// Number, time, bytes of the channel up to it and its own bytes, of each snapshot.
fn snapshot_numbers(list: &str) -> impl DoubleEndedIterator<Item = Option<[u64; 4]>> + use<'_> {
    list.split_terminator(';').map(|entry| {
        let numbers: Option<Vec<u64>> = entry.split(' ').map(number).collect();
        numbers?.try_into().ok()
    })
}

pub(super) fn versions(list: &str) -> Result<Vec<Version>> {
    let version = |numbers: Option<[u64; 4]>| {
        let [seq, at_ms, _, bytes] = numbers.ok_or_else(|| damaged("snapshot"))?;
        Ok(Version { seq, at_ms, bytes })
    };
    snapshot_numbers(list).map(version).collect()
}

/// An event of the list.
pub(super) fn authored(value: RedisResult) -> Option<Authored> {
    let mut data = bytes(value)?;
    let length = usize::from(u16::from_be_bytes(data.get(16..HEADER_BYTES)?.try_into().ok()?));
    let begin = HEADER_BYTES + length;
    let producer = String::from_utf8(data.get(HEADER_BYTES..begin)?.into()).ok()?;
    data.drain(..begin);
    Some(Authored { data, producer: Some(producer).filter(|id| !id.is_empty()) })
}

/// The sizes of events, from the number of the first and the beginnings of all.
pub(super) fn sizes(first: u64, headers: &[u8]) -> Option<Vec<RowSize>> {
    let number = |bytes: &[u8]| Some(u64::from_be_bytes(bytes.try_into().ok()?));
    let size = |(seq, header): (u64, &[u8])| {
        let (at_ms, total) = header.split_at_checked(8)?;
        Some(RowSize { seq, at_ms: number(at_ms)?, total: number(total)? })
    };
    (first..).zip(headers.chunks(16)).map(size).collect()
}

/// A tally as text.
pub(super) fn tally_text(state: &ProducerState) -> String {
    format!("{} {} {}", state.epoch, state.seq, state.busy_until_ms)
}

pub(super) fn tally(text: &str) -> Option<ProducerState> {
    let numbers: Option<Vec<u64>> = text.split(' ').map(number).collect();
    let [epoch, seq, busy_until_ms] = numbers?.try_into().ok()?;
    Some(ProducerState { epoch, seq, busy_until_ms })
}

/// The members that have a state.
pub(super) fn leases(reply: Vec<RedisResult>) -> Result<Vec<Lease>> {
    let mut values = texts(reply);
    let mut leases = Vec::new();
    while let (Some(id), Some(value)) = (values.next(), values.next()) {
        let (id, value) = id.zip(value).ok_or_else(|| damaged("member"))?;
        let Some((until_ms, state)) = value.split_once(' ').filter(|_| !id.is_empty()) else {
            continue;
        };
        let until_ms = number(until_ms).ok_or_else(|| damaged("member"))?;
        leases.push(Lease { member: Member { id, state: Some(state.into()) }, until_ms });
    }
    Ok(leases)
}

pub(super) fn revocations(reply: Vec<RedisResult>) -> Result<Vec<Revocation>> {
    let mut values = texts(reply);
    let mut revocations = Vec::new();
    while let (Some(of), Some(until_ms)) = (values.next(), values.next()) {
        let revocation = of
            .zip(until_ms)
            .and_then(|(of, until_ms)| Revocation::from_columns(&of, number(&until_ms)?));
        revocations.push(revocation.ok_or_else(|| damaged("revocation"))?);
    }
    Ok(revocations)
}

/// The subscriptions of Web Push: four texts of each.
pub(super) fn push_rows(reply: Vec<RedisResult>) -> Result<Vec<PushRow>> {
    let mut values = texts(reply);
    let mut rows = Vec::new();
    while let Some(id) = values.next() {
        let mut next = || values.next().flatten();
        let row = (id, next(), next(), next());
        let (Some(id), Some(due_ms), Some(until_ms), Some(data)) = row else {
            return Err(damaged("subscription"));
        };
        rows.push(PushRow { id, due_ms: number(&due_ms), until_ms: number(&until_ms), data });
    }
    Ok(rows)
}

pub(super) fn push_page(reply: Vec<RedisResult>) -> Option<PushPage> {
    let mut values = reply.into_iter();
    let mut next = || number(&text(values.next()?)?);
    let (epoch, tail, first) = (next()?, next()?, next()?);
    let event = |(seq, value): (u64, RedisResult)| {
        let RedisResult::Binary(bytes) = &value else { return None };
        let at_ms = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
        Some(PushEvent { seq, at_ms, data: authored(value)?.data })
    };
    let events = (first..).zip(values).map(event).collect::<Option<_>>()?;
    Some(PushPage { epoch, tail, events })
}

pub(super) fn keys(reply: Vec<RedisResult>) -> StoredKeys {
    let mut values = texts(reply);
    let mut next = || values.next().flatten();
    let json = next();
    let mut time = || next().as_deref().and_then(number);
    let (fetched_ms, asked_ms) = (time(), time());
    let is_asking = next().as_deref() == Some("1");
    StoredKeys { cache: KeyCache { fetched_ms, asked_ms, is_asking }, json }
}
