//! Which stretches of a client's units are deleted, asked in order.

use std::iter::Peekable;
use std::ops::Range;

use crate::steps::step;

/// The deleted ranges of one client. All questions together take one pass over them.
pub(crate) struct Cover<I: Iterator<Item = Range<u64>>> {
    ranges: Peekable<I>,
}

impl<I: Iterator<Item = Range<u64>>> Cover<I> {
    pub(crate) fn new(ranges: I) -> Self {
        Self { ranges: ranges.peekable() }
    }

    /// Where the stretch ends that begins with the first of these units, and whether it is deleted.
    /// No question may begin before the last one.
    pub(crate) fn stretch(&mut self, units: &Range<u64>) -> (u64, bool) {
        step();
        while self.ranges.next_if(|range| range.end <= units.start).is_some() {
            step();
        }
        match self.ranges.peek() {
            Some(range) if range.start <= units.start => (range.end.min(units.end), true),
            Some(range) => (range.start.min(units.end), false),
            None => (units.end, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_between_live_and_deleted() {
        let mut cover = Cover::new([2..4, 6..9].into_iter());
        assert_eq!(cover.stretch(&(0..10)), (2, false));
        assert_eq!(cover.stretch(&(2..3)), (3, true));
        assert_eq!(cover.stretch(&(3..10)), (4, true));
        assert_eq!(cover.stretch(&(4..5)), (5, false));
        assert_eq!(cover.stretch(&(8..10)), (9, true));
        assert_eq!(cover.stretch(&(9..10)), (10, false));
    }
}
