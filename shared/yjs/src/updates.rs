//! Many updates, to be written as one update.

use std::collections::BTreeMap;

use crate::compaction::Compaction;
use crate::error::{Error, ErrorKind, Result};
use crate::item::Struct;
use crate::limits::Limits;
use crate::state_vector::StateVector;
use crate::steps::step;
use crate::summary::Summary;
use crate::update::Update;
use crate::writer::put_uint;

/// The updates of a document, in the order of its log, to be written as one update.
///
/// It holds no document: structs are slices of the updates, and contents are copied as bytes, so no
/// value changes. The order of the updates matters only where two of them have the same unit in
/// different forms: one client has collected as garbage what another one still has. Then the struct
/// that begins first counts, and of two that begin together the struct of the earlier update.
///
/// Time is linear in the bytes where each client's updates come in order, as in a log, and takes a
/// logarithm more where they do not.
pub struct Updates<'a> {
    limits: Limits,
    /// Bytes, and structs with deletions, of all updates so far.
    bytes: usize,
    count: usize,
    structs: BTreeMap<u64, Vec<Struct<'a>>>,
    summary: Summary,
}

impl<'a> Updates<'a> {
    /// No updates yet, and at most so many bytes and structs of all together.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, bytes: 0, count: 0, structs: BTreeMap::new(), summary: Summary::default() }
    }

    /// Adds an update.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] or [`ErrorKind::TooMany`] when all together exceed a limit; nothing
    /// of this update is added then.
    pub fn add(&mut self, update: &Update<'a>) -> Result<()> {
        let bytes = self.bytes + update.length;
        let count = self.count + update.structs.len() + update.deletions.len();
        if bytes > self.limits.bytes {
            return Err(Error::new(ErrorKind::TooLarge, 0));
        }
        if count > self.limits.structs {
            return Err(Error::new(ErrorKind::TooMany, 0));
        }
        (self.bytes, self.count) = (bytes, count);
        for &(client, found) in &update.structs {
            self.structs.entry(client).or_default().push(found);
        }
        self.summary.add(update);
        Ok(())
    }

    /// The units of all updates together.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// All as one update that loses nothing: deleted contents stay (`mergeUpdates` of Yjs). A peer
    /// that applies it has what a peer has that applied each.
    #[must_use]
    pub fn merge(&mut self) -> Vec<u8> {
        self.write(&StateVector::default(), false)
    }

    /// All as one update, without the contents of deleted items where that saves bytes, as Yjs
    /// collects garbage. Short deleted texts may stay, so this does not erase.
    #[must_use]
    pub fn compact(&mut self) -> Vec<u8> {
        self.write(&StateVector::default(), true)
    }

    /// The update that a peer with this state vector lacks, compacted: the units from its clocks
    /// on, and all deletions, of which a state vector says nothing (`diffUpdate` of Yjs).
    #[must_use]
    pub fn diff(&mut self, vector: &StateVector) -> Vec<u8> {
        self.write(vector, true)
    }

    fn write(&mut self, vector: &StateVector, blanks: bool) -> Vec<u8> {
        let mut blocks = Vec::new();
        let mut count = 0;
        // The highest client first, as Yjs writes them: it integrates fastest so.
        for (&client, structs) in self.structs.iter_mut().rev() {
            // Stable, and one pass where they are in order.
            structs.sort_by(|one, other| {
                step();
                one.clock.cmp(&other.clock)
            });
            let deleted = self.summary.deleted().of(client);
            let mut compaction = Compaction::new(client, vector.get(client), deleted, blanks);
            for found in structs.iter() {
                compaction.put(found);
            }
            count += u64::from(compaction.finish(&mut blocks));
        }
        let mut out = Vec::with_capacity(blocks.len() + 16);
        put_uint(&mut out, count);
        out.append(&mut blocks);
        self.summary.deleted().put(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps;
    use crate::writer::put_buffer;

    const LIMITS: Limits = Limits { bytes: 100 << 20, structs: 1_000_000, depth: 64 };

    fn all(log: &[Vec<u8>]) -> Updates<'_> {
        let mut updates = Updates::new(LIMITS);
        for bytes in log {
            updates.add(&Update::scan(bytes, &LIMITS).unwrap()).unwrap();
        }
        updates
    }

    /// An update of one struct, made of its parts, and of deletions of the same client.
    fn update(client: u64, clock: u64, parts: &[&[u8]], deleted: &[(u64, u64)]) -> Vec<u8> {
        let mut out = vec![1, 1];
        put_uint(&mut out, client);
        put_uint(&mut out, clock);
        out.extend(parts.concat());
        put_deletions(&mut out, client, deleted);
        out
    }

    fn put_deletions(out: &mut Vec<u8>, client: u64, deleted: &[(u64, u64)]) {
        put_uint(out, u64::from(!deleted.is_empty()));
        if !deleted.is_empty() {
            put_uint(out, client);
            put_uint(out, deleted.len() as u64);
            for &(clock, length) in deleted {
                put_uint(out, clock);
                put_uint(out, length);
            }
        }
    }

    /// Text in the root `t`, or behind the unit before it.
    fn text(client: u64, clock: u64, text: &str, deleted: &[(u64, u64)]) -> Vec<u8> {
        let mut content = Vec::new();
        put_buffer(&mut content, text.as_bytes());
        let mut origin = vec![0x84];
        if clock == 0 {
            return update(client, 0, &[&[4, 1, 1, b't'], &content], deleted);
        }
        put_uint(&mut origin, client);
        put_uint(&mut origin, clock - 1);
        update(client, clock, &[&origin, &content], deleted)
    }

    #[test]
    fn letters_become_a_word_in_any_order_and_however_often() {
        let log = [text(1, 2, "c", &[]), text(1, 0, "a", &[]), text(1, 1, "b", &[])];
        let twice = [log.clone(), log].concat();
        assert_eq!(all(&twice).merge(), text(1, 0, "abc", &[]));
    }

    #[test]
    fn what_overlaps_is_cut_in_units_of_utf16() {
        let log =
            [text(1, 0, "a😀", &[]), update(1, 1, &[&[0x84, 1, 0, 5], "😀b".as_bytes()], &[])];
        assert_eq!(all(&log).merge(), text(1, 0, "a😀b", &[]));
        // In the middle of a character, half of which has come on its own.
        let log = [text(1, 0, "a\u{fffd}", &[]), text(1, 1, "😀b", &[])];
        assert_eq!(all(&log).merge(), text(1, 0, "a\u{fffd}\u{fffd}b", &[]));
        let vector = StateVector::from_iter([(1, 2)]);
        assert_eq!(all(&[text(1, 0, "a😀b", &[])]).diff(&vector), text(1, 2, "\u{fffd}b", &[]));
    }

    #[test]
    fn a_gap_is_a_skip_but_never_the_first_struct() {
        let log = [text(1, 0, "ab", &[]), text(1, 5, "f", &[])];
        let merged = [
            &[1, 3, 1, 0][..],
            &[4, 1, 1, b't', 2, b'a', b'b'],
            &[10, 3],
            &[0x84, 1, 4, 1, b'f'],
            &[0],
        ];
        assert_eq!(all(&log).merge(), merged.concat());
        assert_eq!(all(&[merged.concat()]).merge(), merged.concat());
        assert_eq!(all(&log).summary().state_vector(), StateVector::from_iter([(1, 2)]));
        assert!(all(&log).summary().has_gaps() && !all(&log[..1]).summary().has_gaps());
        for clock in 2..=5 {
            let vector = StateVector::from_iter([(1, clock)]);
            assert_eq!(all(&log).diff(&vector), log[1]);
        }
        assert_eq!(all(&log).diff(&StateVector::from_iter([(1, 6)])), [0, 0]);
    }

    #[test]
    fn garbage_that_touches_is_one() {
        let log = [update(1, 0, &[&[0, 2]], &[]), update(1, 1, &[&[0, 4]], &[(0, 5)])];
        assert_eq!(all(&log).merge(), update(1, 0, &[&[0, 5]], &[(0, 5)]));
    }

    #[test]
    fn deletions_are_joined_and_kept_for_units_that_have_not_come() {
        let log = [text(1, 0, "a", &[(4, 2)]), text(1, 1, "b", &[(1, 3)])];
        assert_eq!(all(&log).merge(), text(1, 0, "ab", &[(1, 5)]));
    }

    #[test]
    fn a_compaction_leaves_out_what_saves_bytes_and_cuts_no_character() {
        let filler = "x".repeat(60);
        let log = [text(1, 0, &format!("a😀{filler}😀b"), &[(2, 62), (66, 1)])];
        // The halves of the two characters stay, and so does the one letter.
        let kept = [
            &[1, 3, 1, 0][..],
            &[4, 1, 1, b't', 5],
            "a😀".as_bytes(),
            &[0x81, 1, 2, 60],
            &[0x84, 1, 62, 5],
            "😀b".as_bytes(),
        ];
        let mut expected = kept.concat();
        put_deletions(&mut expected, 1, &[(2, 62), (66, 1)]);
        assert_eq!(all(&log).compact(), expected);
        assert_eq!(all(&[expected.clone()]).compact(), expected);
        assert_eq!(all(&log).merge(), log[0]);
    }

    #[test]
    fn values_of_a_key_stay_apart_and_the_old_ones_become_one() {
        // Three values of the key `k`; the flag has got lost in the later ones.
        let value = |clock: u8, value: u8| match clock {
            0 => update(1, 0, &[&[0x28, 1, 1, b'm', 1, b'k', 1, 125, value]], &[]),
            _ => update(1, clock.into(), &[&[0x88, 1, clock - 1, 1, 125, value]], &[]),
        };
        let mut log = vec![value(0, 1), value(1, 2), value(2, 3)];
        log.push([&[0, 1, 1, 1, 0, 2][..]].concat());
        let compact = [
            &[1, 2, 1, 0][..],
            &[0x21, 1, 1, b'm', 1, b'k', 2],
            &[0x88, 1, 1, 1, 125, 3],
            &[1, 1, 1, 0, 2],
        ];
        assert_eq!(all(&log).compact(), compact.concat());
        let merged = all(&log).merge();
        assert_eq!(merged[1], 3, "{merged:?}");
    }

    #[test]
    fn values_of_a_list_become_one_item() {
        let push = |clock: u8| match clock {
            0 => update(1, 0, &[&[8, 1, 1, b'l', 1, 125, 0]], &[]),
            _ => update(1, clock.into(), &[&[0x88, 1, clock - 1, 2, 126, 117, 0]], &[]),
        };
        let log = [push(0), push(1), push(3)];
        let one = update(1, 0, &[&[8, 1, 1, b'l', 5, 125, 0], &[126, 117, 0, 126, 117, 0]], &[]);
        assert_eq!(all(&log).merge(), one);
        let rest = update(1, 2, &[&[0x88, 1, 1, 3, 117, 0, 126, 117, 0]], &[]);
        assert_eq!(all(&[one]).diff(&StateVector::from_iter([(1, 2)])), rest);
    }

    #[test]
    fn limits_hold_for_all_updates_together() {
        let limits = Limits { bytes: 25, structs: 3, depth: 1 };
        let log = [text(1, 0, "a", &[(0, 1)]), text(1, 1, "b", &[]), text(1, 2, "c", &[])];
        let scan = |bytes| Update::scan(bytes, &limits).unwrap();
        let mut updates = Updates::new(limits);
        updates.add(&scan(&log[0])).unwrap();
        let before = updates.summary().clone();
        let large = text(1, 1, "0123456789", &[]);
        let too_large = updates.add(&scan(&large));
        assert_eq!(too_large, Err(Error::new(ErrorKind::TooLarge, 0)));
        assert_eq!(updates.summary(), &before);
        let mut updates = Updates::new(Limits { bytes: 100, ..limits });
        for bytes in &log[..2] {
            updates.add(&scan(bytes)).unwrap();
        }
        assert_eq!(updates.add(&scan(&log[2])), Err(Error::new(ErrorKind::TooMany, 0)));
    }

    /// Typing by ten clients in turn: each letter an update, each fifth deleted again.
    fn typing(count: u64) -> Vec<Vec<u8>> {
        (0..count)
            .map(|index| {
                let clock = index / 10;
                let deleted = [(clock, 1)];
                text(1_000 + index % 10, clock, "a", if index % 5 == 0 { &deleted } else { &[] })
            })
            .collect()
    }

    /// One client types, and another deletes each second letter, last first: no two touch.
    fn scattered(count: u64) -> Vec<Vec<u8>> {
        let typed = (0..count / 2).map(|clock| text(7, clock, "a", &[]));
        let deleted = (0..count / 2).rev().map(|clock| {
            let mut out = vec![0];
            put_deletions(&mut out, 7, &[(2 * clock, 1)]);
            out
        });
        typed.chain(deleted).collect()
    }

    #[test]
    fn a_hundred_thousand_updates_are_merged_in_linear_time() {
        for log in [typing, scattered] {
            let cost = |count| {
                let log = log(count);
                let bytes: usize = log.iter().map(Vec::len).sum();
                let (steps, lengths) = steps::of(|| {
                    let mut updates = all(&log);
                    let vector = StateVector::from_iter([(1_003, 5), (7, count / 4)]);
                    [updates.merge(), updates.compact(), updates.diff(&vector)].map(|all| all.len())
                });
                assert!(lengths.iter().all(|&length| length < bytes), "{lengths:?} of {bytes}");
                (steps, bytes as u64)
            };
            let (few, few_bytes) = cost(1_000);
            let (many, many_bytes) = cost(100_000);
            assert!(many_bytes > 1_000_000);
            // As many steps for each byte, whatever the length: one in ten more is allowed.
            assert!(many * few_bytes * 10 < few * many_bytes * 11, "{few} {many}");
            assert!(many < 10 * many_bytes, "{many} steps for {many_bytes} bytes");
        }
    }

    #[test]
    fn the_worst_order_takes_a_logarithm_more() {
        let cost = |count: u64| {
            let mut log: Vec<_> = (0..count).map(|clock| text(7, 2 * clock, "a", &[])).collect();
            // Spread over all the log: the golden ratio's multiples.
            log.sort_by_key(|bytes| {
                let clock = bytes.iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
                clock.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            });
            steps::of(|| all(&log).merge().len()).0
        };
        let (few, many) = (cost(1_000), cost(64_000));
        assert!(many < few * 64 * 16 / 9, "{few} {many}");
    }

    #[test]
    fn a_struct_is_small() {
        let pointers = 2 * size_of::<usize>();
        assert_eq!(size_of::<Struct<'_>>(), 16 + pointers);
    }
}
