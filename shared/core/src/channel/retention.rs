//! How much of a channel is kept.

use super::state::Channel;

/// Limits above which the oldest events are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Most events.
    pub max_events: u64,
    /// Most bytes of event data.
    pub max_bytes: u64,
    /// Greatest age of an event in milliseconds.
    pub max_age_ms: u64,
    /// Whether only an event that a snapshot covers may be dropped.
    pub keeps_uncovered: bool,
}

/// The columns of a stored event that retention needs.
#[derive(Clone, Copy, Debug)]
pub struct RowSize {
    /// Number of the event.
    pub seq: u64,
    /// When it was appended, in milliseconds since 1970.
    pub at_ms: u64,
    /// Bytes of the channel up to and with this event.
    pub total: u64,
}

impl Retention {
    /// Whether an event must be dropped. Does not read the store.
    pub fn is_exceeded(&self, channel: &Channel, now_ms: u64) -> bool {
        channel.first <= channel.tail
            && self.drops(channel, channel.first, channel.dropped, channel.first_at_ms, now_ms)
    }

    /// Drops excess events and returns the channel after it; `oldest` yields the stored events from
    /// the oldest on, and is read no further than the first that stays. The newest event is dropped
    /// only by age, so that a reader at the tail always finds its place.
    pub fn cut(
        &self,
        channel: &Channel,
        now_ms: u64,
        oldest: impl IntoIterator<Item = RowSize>,
    ) -> Channel {
        let mut cut = channel.clone();
        for row in oldest {
            if !self.drops(channel, row.seq, cut.dropped, row.at_ms, now_ms) {
                cut.first_at_ms = row.at_ms;
                break;
            }
            cut.first = row.seq + 1;
            cut.dropped = row.total;
        }
        cut
    }

    fn drops(&self, channel: &Channel, seq: u64, dropped: u64, at_ms: u64, now_ms: u64) -> bool {
        if self.keeps_uncovered && channel.snapshot.is_none_or(|snapshot| seq > snapshot.seq) {
            return false;
        }
        let is_newest = seq == channel.tail;
        let too_many =
            channel.tail + 1 - seq > self.max_events || channel.total - dropped > self.max_bytes;
        (too_many && !is_newest) || now_ms.saturating_sub(at_ms) > self.max_age_ms
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{SnapshotHead, SnapshotUse};
    use super::*;
    use crate::http::ContentType;

    fn ten_events_of_ten_bytes() -> (Channel, Vec<RowSize>) {
        let channel = Channel {
            tail: 10,
            total: 100,
            first_at_ms: 1000,
            ..Channel::new(5, ContentType::json())
        };
        (channel, (1..=10).map(|seq| RowSize { seq, at_ms: seq * 1000, total: seq * 10 }).collect())
    }

    fn first_kept(retention: Retention, now_ms: u64) -> u64 {
        let (channel, rows) = ten_events_of_ten_bytes();
        let cut = retention.cut(&channel, now_ms, rows);
        assert_eq!(retention.is_exceeded(&channel, now_ms), cut.first > 1);
        assert!(!retention.is_exceeded(&cut, now_ms) || cut.first == cut.tail);
        cut.first
    }

    const ALL: Retention =
        Retention { max_events: 10, max_bytes: 100, max_age_ms: 60_000, keeps_uncovered: false };

    #[test]
    fn keeps_what_is_within_every_limit() {
        assert_eq!(first_kept(ALL, 10_000), 1);
    }

    #[test]
    fn drops_by_count_by_bytes_and_by_age() {
        assert_eq!(first_kept(Retention { max_events: 4, ..ALL }, 10_000), 7);
        assert_eq!(first_kept(Retention { max_bytes: 35, ..ALL }, 10_000), 8);
        assert_eq!(first_kept(Retention { max_age_ms: 2_500, ..ALL }, 10_000), 8);
    }

    #[test]
    fn drops_only_what_a_snapshot_covers_where_it_stands_for_the_past() {
        let (channel, rows) = ten_events_of_ten_bytes();
        let retention = Retention { max_events: 4, keeps_uncovered: true, ..ALL };
        let first_kept = |covered: Option<u64>, now_ms| {
            let snapshot = covered.map(|seq| SnapshotHead {
                seq,
                total: seq * 10,
                bytes: 5,
                stands_for: SnapshotUse::Past,
            });
            let channel = Channel { snapshot, ..channel.clone() };
            let cut = retention.cut(&channel, now_ms, rows.clone());
            assert_eq!(retention.is_exceeded(&channel, now_ms), cut.first > 1);
            cut.first
        };
        assert_eq!(first_kept(None, 10_000), 1);
        assert_eq!(first_kept(Some(3), 10_000), 4);
        assert_eq!(first_kept(Some(9), 10_000), 7);
        assert_eq!(first_kept(Some(9), 90_000), 10);
        assert_eq!(first_kept(Some(10), 90_000), 11);
    }

    #[test]
    fn drops_the_newest_only_by_age() {
        assert_eq!(first_kept(Retention { max_bytes: 1, ..ALL }, 10_000), 10);
        assert_eq!(first_kept(Retention { max_age_ms: 1, ..ALL }, 90_000), 11);
    }
}
