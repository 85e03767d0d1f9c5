//! A channel's state at an offset, kept beside its log.

use super::event::Event;
use crate::error::{Error, ErrorKind, Result};

/// What the snapshots of a channel stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotUse {
    /// The past: a reader that begins at the beginning, or before the oldest event kept, gets
    /// the snapshot and the events after it. Retention drops only what a snapshot covers.
    Past,
    /// The answers to `view=latest` alone. Other readers and retention do not know it.
    Latest,
}

/// The newest snapshot of a channel, without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    /// Number of the last event that it covers.
    pub seq: u64,
    /// Bytes of the channel up to and with that event.
    pub total: u64,
    /// Bytes of its data.
    pub bytes: u64,
    /// What it stands for, as the policy of the function says.
    pub stands_for: SnapshotUse,
}

/// A snapshot that the store keeps, without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Number of the last event that it covers.
    pub seq: u64,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: u64,
    /// Bytes of its data.
    pub bytes: u64,
}

/// A snapshot to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What the channel's state says of it from now on.
    pub head: SnapshotHead,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its data.
    pub data: Vec<u8>,
    /// How many snapshots the channel keeps with it: the oldest are removed.
    pub most: u64,
}

/// Longest part of a snapshot in one row of a store, in bytes: a platform's row takes 2 MB.
const PART_BYTES: usize = 1024 * 1024;

impl Snapshot {
    /// Its data in numbered parts, each small enough for a row of a store; at least one.
    pub fn parts(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let first = self.data.get(..PART_BYTES).unwrap_or(&self.data);
        let rest = self.data.get(PART_BYTES..).unwrap_or_default().chunks(PART_BYTES);
        (0..).zip(std::iter::once(first).chain(rest))
    }
}

/// Bytes of the number and of the length before the data of an event.
const PREFIX_BYTES: usize = 12;

/// The events as one text of bytes, for a snapshot of the newest events.
pub(crate) fn pack(events: &[Event]) -> Vec<u8> {
    let mut packed = Vec::new();
    for event in events {
        packed.extend(event.seq.to_be_bytes());
        // An event is far shorter than 4 GB.
        packed.extend((event.data.len() as u32).to_be_bytes());
        packed.extend(&event.data);
    }
    packed
}

/// The events of [`pack`].
///
/// # Errors
///
/// [`ErrorKind::Internal`] for other bytes.
pub(crate) fn unpack(mut packed: &[u8]) -> Result<Vec<Event>> {
    let damaged = || Error::new(ErrorKind::Internal, "the store has an invalid snapshot");
    let mut events = Vec::new();
    while !packed.is_empty() {
        let (prefix, rest) = packed.split_at_checked(PREFIX_BYTES).ok_or_else(damaged)?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (seq, length) = prefix.split_at(8);
        let (data, rest) = rest.split_at_checked(number(length) as usize).ok_or_else(damaged)?;
        events.push(Event { seq: number(seq), data: data.to_vec() });
        packed = rest;
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_parts_even_if_it_is_empty() {
        let lengths = |bytes| {
            let head = SnapshotHead { seq: 1, total: 1, bytes, stands_for: SnapshotUse::Past };
            let snapshot = Snapshot { head, at_ms: 1, data: vec![0; bytes as usize], most: 1 };
            snapshot.parts().map(|(part, data)| (part, data.len())).collect::<Vec<_>>()
        };
        assert_eq!(lengths(0), [(0, 0)]);
        assert_eq!(lengths(1 << 20), [(0, 1 << 20)]);
        assert_eq!(lengths((1 << 21) + 1), [(0, 1 << 20), (1, 1 << 20), (2, 1)]);
    }

    #[test]
    fn unpacks_what_it_packs_and_refuses_the_rest() {
        let events = [(3, "ab"), (1 << 40, ""), ((1 << 53) - 1, "\0")]
            .map(|(seq, data)| Event { seq, data: data.into() });
        let packed = pack(&events);
        assert_eq!(unpack(&packed).unwrap(), events);
        for end in 1..packed.len() {
            let cut = unpack(packed.get(..end).unwrap());
            assert!(cut.is_err() || cut.is_ok_and(|left| events.starts_with(&left)), "{end}");
        }
        assert_eq!(unpack(&packed[..5]).unwrap_err().kind(), ErrorKind::Internal);
    }
}
