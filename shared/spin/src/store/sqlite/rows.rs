//! Rows of the database, and what they hold.

use spin_sdk::sqlite::Value;
use tidewire_access::KeyCache;
use tidewire_core::{
    Authored, Channel, ContentType, Event, Expiry, Lease, Member, ProducerState, Revocation,
    RowSize, SnapshotHead, SnapshotUse, Version,
};

use crate::store::{Fault, Look, Result, Stored, StoredKeys};

/// A row, by position.
pub(super) type Row = Vec<Value>;

pub(super) fn text(value: &str) -> Value {
    Value::Text(value.into())
}

pub(super) fn number(value: u64) -> Value {
    // Sequences, sizes and times of ours stay far below 2^53.
    Value::Integer(value as i64)
}

pub(super) fn optional<T>(value: Option<T>, to: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, to)
}

pub(super) fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(value) => u64::try_from(*value).ok(),
        _ => None,
    }
}

pub(super) fn optional_text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Every row read; a row that does not hold a `what` is a fault of the store.
pub(super) fn all<T>(
    rows: impl IntoIterator<Item = Row>,
    what: &str,
    read: impl Fn(Row) -> Option<T>,
) -> Result<Vec<T>> {
    rows.into_iter().map(|row| read(row).ok_or_else(|| damaged(what))).collect()
}

pub(super) fn damaged(what: &str) -> Fault {
    Fault::new(format!("the store has an invalid {what}"))
}

/// The first row of a look: the channel, and its first event.
pub(super) fn look(row: Row, stands_for: Option<SnapshotUse>) -> Option<(Look, Option<Event>)> {
    let [
        presence_version,
        snapshot_seq,
        snapshot_total,
        snapshot_bytes,
        last_epoch,
        id,
        epoch,
        content_type,
        closed,
        stream_seq,
        revision,
        tail,
        total,
        first,
        first_at_ms,
        dropped,
        ttl_s,
        expires_at_ms,
        touched_at_ms,
        revocations_version,
        seq,
        data,
    ] = row.try_into().ok()?;
    let (last_epoch, presence_version) =
        (integer(&last_epoch)?, integer(&presence_version).unwrap_or(0));
    let revocations_version = integer(&revocations_version).unwrap_or(0);
    let look = Look {
        stored: None,
        expired: None,
        last_epoch,
        presence_version,
        revocations_version,
        pulse: None,
    };
    let Some(id) = integer(&id) else { return Some((look, None)) };
    let Value::Text(content_type) = content_type else { return None };
    let mut channel = Channel::new(integer(&epoch)?, ContentType::parse(&content_type)?);
    channel.closed = integer(&closed)? != 0;
    channel.stream_seq = optional_text(stream_seq);
    channel.revision = integer(&revision)?;
    channel.tail = integer(&tail)?;
    channel.total = integer(&total)?;
    channel.first = integer(&first).unwrap_or(channel.tail + 1);
    channel.first_at_ms = integer(&first_at_ms).unwrap_or(0);
    channel.dropped = integer(&dropped).unwrap_or(channel.total);
    channel.expiry =
        Expiry::from_columns(integer(&ttl_s), integer(&expires_at_ms), integer(&touched_at_ms));
    channel.snapshot = stands_for.zip(integer(&snapshot_seq)).and_then(|(stands_for, seq)| {
        let (total, bytes) = (integer(&snapshot_total)?, integer(&snapshot_bytes)?);
        Some(SnapshotHead { seq, total, bytes, stands_for })
    });
    let event = match (integer(&seq), data) {
        (Some(seq), Value::Blob(data)) => Some(Event { seq, data }),
        _ => None,
    };
    Some((Look { stored: Some(Stored { id, channel }), ..look }, event))
}

/// Any later row of a look.
pub(super) fn event_of(row: Row) -> Option<Event> {
    let [.., seq, Value::Blob(data)] = <[Value; 22]>::try_from(row).ok()? else { return None };
    Some(Event { seq: integer(&seq)?, data })
}

pub(super) fn authored(row: Row) -> Option<Authored> {
    match <[Value; 2]>::try_from(row).ok()? {
        [Value::Blob(data), producer] => Some(Authored { data, producer: optional_text(producer) }),
        _ => None,
    }
}

pub(super) fn tally(row: Row) -> Option<(String, ProducerState)> {
    let [id, epoch, seq, busy_until_ms] = row.try_into().ok()?;
    let state = ProducerState {
        epoch: integer(&epoch)?,
        seq: integer(&seq)?,
        busy_until_ms: integer(&busy_until_ms)?,
    };
    Some((optional_text(id)?, state))
}

pub(super) fn lease(row: Row) -> Option<Lease> {
    let [id, state, until_ms] = row.try_into().ok()?;
    let member = Member { id: optional_text(id)?, state: Some(optional_text(state)?) };
    Some(Lease { member, until_ms: integer(&until_ms)? })
}

pub(super) fn revocation(row: Row) -> Option<Revocation> {
    let [of, until_ms] = row.try_into().ok()?;
    Revocation::from_columns(&optional_text(of)?, integer(&until_ms)?)
}

pub(super) fn size(row: Row) -> Option<RowSize> {
    let [seq, at_ms, total] = row.try_into().ok()?;
    Some(RowSize { seq: integer(&seq)?, at_ms: integer(&at_ms)?, total: integer(&total)? })
}

/// One part of a snapshot.
pub(super) fn part(row: Row) -> Option<Vec<u8>> {
    match <[Value; 1]>::try_from(row).ok()? {
        [Value::Blob(data)] => Some(data),
        _ => None,
    }
}

pub(super) fn version(row: Row) -> Option<Version> {
    let [seq, at_ms, bytes] = row.try_into().ok()?;
    Some(Version { seq: integer(&seq)?, at_ms: integer(&at_ms)?, bytes: integer(&bytes)? })
}

/// Id and epoch of a channel.
pub(super) fn expired(row: Row) -> Option<(u64, u64)> {
    let [id, epoch] = row.try_into().ok()?;
    Some((integer(&id)?, integer(&epoch)?))
}

pub(super) fn keys(row: Row) -> Option<StoredKeys> {
    let [json, fetched_ms, asked_ms, is_asking] = row.try_into().ok()?;
    let cache = KeyCache {
        fetched_ms: integer(&fetched_ms),
        asked_ms: integer(&asked_ms),
        is_asking: integer(&is_asking) == Some(1),
    };
    Some(StoredKeys { cache, json: optional_text(json) })
}
