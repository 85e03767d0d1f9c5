//! Sets of units: delete sets, and what a document holds.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::{ErrorKind, Result};
use crate::limits::Limits;
use crate::reader::Reader;
use crate::steps::step;
use crate::writer::put_uint;

/// A set of units, as ranges of the clocks of each client.
///
/// Adding a range takes logarithmic time (amortised); ranges that touch are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdSet {
    /// The end of each range, by its client and its start. No two touch.
    ranges: BTreeMap<(u64, u64), u64>,
}

impl IdSet {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges it has, of all clients together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Adds the units of a client whose clocks are in this range.
    pub(crate) fn insert(&mut self, client: u64, clocks: Range<u64>) {
        let Range { mut start, mut end } = clocks;
        if start >= end {
            return;
        }
        step();
        if let Some((&(_, before), until)) =
            self.ranges.range_mut((client, 0)..=(client, start)).next_back()
            && *until >= start
        {
            if *until >= end {
                return;
            }
            start = before;
            *until = end;
        }
        while let Some((&key, &until)) =
            self.ranges.range((client, start + 1)..=(client, end)).next()
        {
            step();
            self.ranges.remove(&key);
            end = end.max(until);
        }
        self.ranges.insert((client, start), end);
    }

    /// Whether all units of a client whose clocks are in this range are in it.
    #[must_use]
    pub fn contains(&self, client: u64, clocks: &Range<u64>) -> bool {
        step();
        let before = self.ranges.range((client, 0)..=(client, clocks.start)).next_back();
        clocks.is_empty() || before.is_some_and(|(_, &until)| until >= clocks.end)
    }

    /// The ranges of one client, in order.
    pub fn of(&self, client: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.range((client, 0)..=(client, u64::MAX)).map(|(&(_, start), &end)| start..end)
    }

    /// The clients, the highest first, as Yjs writes them.
    pub fn clients(&self) -> impl Iterator<Item = u64> + '_ {
        let last =
            |until| self.ranges.range(..(until, 0)).next_back().map(|(&(client, _), _)| client);
        let highest = self.ranges.last_key_value().map(|(&(client, _), _)| client);
        std::iter::successors(highest, move |&client| last(client))
    }

    /// Appends it as the delete set of an update (`writeDeleteSet` of Yjs).
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_uint(out, self.clients().count() as u64);
        for client in self.clients() {
            put_uint(out, client);
            put_uint(out, self.of(client).count() as u64);
            for range in self.of(client) {
                step();
                put_uint(out, range.start);
                put_uint(out, range.end - range.start);
            }
        }
    }
}

/// The deletions of an update as they stand in it: clients and ranges, in any order.
pub(crate) type Deletions = Vec<(u64, Range<u64>)>;

/// Reads a delete set (`readDeleteSet` of Yjs) of at most as many ranges as are still allowed.
pub(crate) fn read_deletions(
    reader: &mut Reader<'_>,
    structs: usize,
    limits: &Limits,
) -> Result<Deletions> {
    let mut deletions = Deletions::new();
    let mut clients = Clients::default();
    for _ in 0..reader.count()? {
        let start = *reader;
        let client = reader.uint()?;
        clients.add(client, &start)?;
        for _ in 0..reader.count()? {
            let start = *reader;
            let clock = reader.uint()?;
            let end = clock + reader.length()?;
            if end >= 1 << 53 {
                return Err(start.error(ErrorKind::Number));
            }
            if structs + deletions.len() >= limits.structs {
                return Err(start.error(ErrorKind::TooMany));
            }
            deletions.push((client, clock..end));
        }
    }
    Ok(deletions)
}

/// The clients that occurred so far: Yjs would forget the first part of a client that occurs twice.
#[derive(Default)]
pub(crate) struct Clients(std::collections::BTreeSet<u64>);

impl Clients {
    pub(crate) fn add(&mut self, client: u64, at: &Reader<'_>) -> Result<()> {
        step();
        if self.0.insert(client) { Ok(()) } else { Err(at.error(ErrorKind::Twice)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_that_touch_are_one() {
        let mut set = IdSet::default();
        set.insert(1, 0..2);
        set.insert(1, 4..6);
        set.insert(2, 2..4);
        assert_eq!(set.len(), 3);
        set.insert(1, 2..4);
        assert!(set.of(1).eq(std::iter::once(0..6)));
        assert!(set.contains(1, &(1..6)) && !set.contains(1, &(1..7)) && !set.contains(3, &(0..1)));
        assert_eq!(set.clients().collect::<Vec<_>>(), [2, 1]);
    }

    proptest! {
        #[test]
        fn holds_what_a_set_of_units_holds(
            inserted in prop::collection::vec((0u64..3, 0u64..40, 0u64..12), 0..30)
        ) {
            let mut set = IdSet::default();
            let mut units = BTreeSet::new();
            for (client, start, length) in inserted {
                set.insert(client, start..start + length);
                units.extend((start..start + length).map(|clock| (client, clock)));
            }
            for client in 0..3 {
                let ranges: Vec<_> = set.of(client).collect();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
                for clock in 0..60 {
                    let is_in = units.contains(&(client, clock));
                    prop_assert_eq!(set.contains(client, &(clock..clock + 1)), is_in);
                }
            }
            let mut bytes = Vec::new();
            set.put(&mut bytes);
            let limits = Limits { bytes: 10_000, structs: 100, depth: 1 };
            let mut again = IdSet::default();
            for (client, clocks) in read_deletions(&mut Reader::new(&bytes), 0, &limits).unwrap() {
                again.insert(client, clocks);
            }
            prop_assert_eq!(again, set);
        }
    }
}
