//! The state of a channel, without its events.

use super::expiry::Expiry;
use super::offset::Offset;
use super::snapshot::{SnapshotHead, SnapshotUse};
use super::start::Start;
use crate::http::{ContentType, Reply, headers};

/// The state that decisions need: a handful of numbers, loaded once and kept in memory as a cache
/// of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Creation time in milliseconds since 1970, always above that of an earlier channel of the
    /// name; 0 while the channel does not exist.
    pub epoch: u64,
    /// Number of the oldest event kept; `tail + 1` without any.
    pub first: u64,
    /// Number of the newest event ever appended; 0 before the first.
    pub tail: u64,
    /// Bytes of the events that retention dropped.
    pub dropped: u64,
    /// Bytes of all events, dropped ones included.
    pub total: u64,
    /// When the oldest event kept was appended, in milliseconds since 1970.
    pub first_at_ms: u64,
    /// The content type of its events.
    pub content_type: ContentType,
    /// Finished: no further event can be appended.
    pub closed: bool,
    /// Last `Stream-Seq`.
    pub stream_seq: Option<String>,
    /// When it ends by itself, if ever.
    pub expiry: Option<Expiry>,
    /// How often an event was erased: each erasure changes the ETags of earlier reads.
    pub revision: u64,
    /// Its newest snapshot.
    pub snapshot: Option<SnapshotHead>,
    /// Where it continues earlier epochs of its own, the oldest first. A store that can lose
    /// acknowledged events changes the epoch when it may have, so that no offset is given twice.
    pub forks: Vec<Fork>,
}

/// The end of what a channel shares with an earlier epoch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The earlier epoch.
    pub epoch: u64,
    /// Number of the last event that both epochs have. Later events of the earlier epoch are lost.
    pub tail: u64,
}

/// A resolved start position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Number of the event after which to read.
    pub after: u64,
    /// Set if the requested events are gone; `after` is then the earliest position.
    pub gap: Option<Gap>,
    /// The snapshot that the reader gets in place of the events up to this number. It counts as the
    /// event of this number: `after` is one less.
    pub snapshot: Option<u64>,
}

impl Position {
    /// The number of the event after which to read the log: the snapshot comes from its own place.
    pub fn log_after(&self) -> u64 {
        self.snapshot.unwrap_or(self.after)
    }
}

/// Events that a reader asked for are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The requested position.
    pub requested: Offset,
    /// The position to resume from.
    pub earliest: Offset,
}

/// Appends between two cuts of retention, and between two searches for tallies to forget.
const APPENDS_PER_TIDYING: u64 = 64;

impl Channel {
    /// A new, empty channel.
    pub fn new(epoch: u64, content_type: ContentType) -> Channel {
        Channel {
            epoch,
            first: 1,
            tail: 0,
            dropped: 0,
            total: 0,
            first_at_ms: 0,
            content_type,
            closed: false,
            stream_seq: None,
            expiry: None,
            revision: 0,
            snapshot: None,
            forks: Vec::new(),
        }
    }

    /// Stands for a channel that does not exist and that its first publish will create; each of its
    /// offsets is [`Offset::ABSENT`].
    pub fn absent(content_type: ContentType) -> Channel {
        Channel::new(0, content_type)
    }

    /// The same for a document, which the first edit over y-websocket makes.
    pub(crate) fn absent_document() -> Channel {
        Channel::absent(ContentType::octet_stream())
    }

    /// Where the state of a channel whose snapshots stand for the past is: in the snapshot of this
    /// number, if it has one, and in the events after the other.
    pub fn whole(&self) -> (Option<u64>, u64) {
        let past = self.past();
        (past, past.unwrap_or(self.first - 1))
    }

    /// Whether the store has the channel.
    pub fn exists(&self) -> bool {
        self.epoch != 0
    }

    /// Whether it has ended by itself: it then counts as absent, even if the store still has parts
    /// of it.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expiry.is_some_and(|expiry| now_ms >= expiry.ends_at_ms())
    }

    /// The channel after a read or append, if its sliding TTL must be stored again; see
    /// [`Operation::slides`](crate::Operation::slides).
    pub fn slid(&self, now_ms: u64) -> Option<Channel> {
        let expiry = self.expiry.filter(|_| !self.is_expired(now_ms))?.slid(now_ms)?;
        Some(Channel { expiry: Some(expiry), ..self.clone() })
    }

    /// Whether the append of this many events, after which this is the channel, also tidies up. It
    /// does so now and then: tidying costs as much as many appends.
    pub fn is_due(&self, appended: u64) -> bool {
        self.tail / APPENDS_PER_TIDYING != self.tail.saturating_sub(appended) / APPENDS_PER_TIDYING
    }

    /// The offset after the event of this number.
    pub fn offset(&self, seq: u64) -> Offset {
        if self.exists() { Offset { epoch: self.epoch, seq } } else { Offset::ABSENT }
    }

    /// The same position in the present epoch, for an offset of an earlier one that both share;
    /// another offset as it is.
    pub fn present(&self, offset: Offset) -> Offset {
        match self.fork(offset.epoch) {
            Some(fork) if offset.seq <= fork.tail => self.offset(offset.seq),
            _ => offset,
        }
    }

    fn fork(&self, epoch: u64) -> Option<&Fork> {
        self.forks.iter().find(|fork| fork.epoch == epoch)
    }

    /// The offset of the tail: nothing newer exists.
    pub fn tail_offset(&self) -> Offset {
        self.offset(self.tail)
    }

    /// The offset before the oldest event kept, or before the first of all where a snapshot stands
    /// for the past: a reader that resumes from it has everything that there is to have.
    pub fn earliest(&self) -> Offset {
        self.offset(if self.past().is_some() { 0 } else { self.first - 1 })
    }

    /// The number of the last event that a snapshot stands for, for every reader.
    pub(crate) fn past(&self) -> Option<u64> {
        self.snapshot
            .filter(|snapshot| snapshot.stands_for == SnapshotUse::Past)
            .map(|snapshot| snapshot.seq)
    }

    /// Sets the headers for the channel's content type, its tail and whether it is finished.
    pub(crate) fn set_state(&self, reply: &mut Reply) {
        headers::set_content_type(reply, &self.content_type);
        self.tail_offset().set(reply);
        if self.closed {
            headers::set(reply, headers::CLOSED, "true");
        }
    }

    /// Sets the headers for the channel's configuration and state.
    pub(crate) fn set_configuration(&self, reply: &mut Reply) {
        self.set_state(reply);
        if let Some(expiry) = self.expiry {
            expiry.set(reply);
        }
    }

    /// Resolves where a reader that starts here reads from. An offset of an earlier channel of the
    /// name, or one ahead of the tail (of a store that was restored from an older copy), is a gap
    /// like an offset that retention passed; so is one of an earlier epoch behind its
    /// [`Fork`], which a reader resumes from the fork. Where a snapshot stands for the past, it replaces what
    /// retention dropped, so that only those two are gaps.
    pub fn position(&self, start: Start) -> Position {
        let at = |after| Position { after, gap: None, snapshot: None };
        let earliest = |gap| match self.past() {
            Some(seq) => Position { after: seq - 1, gap, snapshot: Some(seq) },
            None => Position { after: self.first - 1, gap, snapshot: None },
        };
        let start = match start {
            Start::After(offset) => Start::After(self.present(offset)),
            start => start,
        };
        match start {
            Start::Beginning => earliest(None),
            Start::Tail => at(self.tail),
            Start::After(Offset::ABSENT) if self.first == 1 => at(0),
            Start::After(offset)
                if offset.epoch == self.epoch
                    && (self.first - 1..=self.tail).contains(&offset.seq) =>
            {
                at(offset.seq)
            }
            Start::After(requested) => {
                let fork = self.fork(requested.epoch).map(|fork| fork.tail);
                if let Some(after) = fork.filter(|tail| *tail + 1 >= self.first) {
                    let gap = Gap { requested, earliest: self.offset(after) };
                    return Position { gap: Some(gap), ..at(after) };
                }
                let is_replaced = self.past().is_some()
                    && (requested == Offset::ABSENT
                        || requested.epoch == self.epoch && requested.seq < self.first);
                let gap = Gap { requested, earliest: self.earliest() };
                earliest((!is_replaced).then_some(gap))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_gap_from_a_beginning() {
        let channel = Channel { first: 4, tail: 9, ..Channel::new(70, ContentType::json()) };
        let after = |epoch, seq| channel.position(Start::After(Offset { epoch, seq }));
        assert_eq!(
            channel.position(Start::Beginning),
            Position { after: 3, gap: None, snapshot: None }
        );
        assert_eq!(channel.position(Start::Tail), Position { after: 9, gap: None, snapshot: None });
        assert_eq!(after(70, 3), Position { after: 3, gap: None, snapshot: None });
        assert_eq!(after(70, 9), Position { after: 9, gap: None, snapshot: None });
        for (epoch, seq) in [(70, 2), (70, 10), (69, 5), (71, 5)] {
            assert_eq!(
                after(epoch, seq).gap,
                Some(Gap {
                    requested: Offset { epoch, seq },
                    earliest: Offset { epoch: 70, seq: 3 }
                })
            );
            assert_eq!(after(epoch, seq).after, 3);
        }
    }

    #[test]
    fn who_found_no_channel_has_missed_nothing_until_retention_drops_it() {
        let after = |channel: &Channel| channel.position(Start::After(Offset::ABSENT));
        let absent = Channel::absent(ContentType::json());
        assert_eq!((absent.tail_offset(), absent.earliest()), (Offset::ABSENT, Offset::ABSENT));
        let made = Channel { tail: 9, ..Channel::new(70, ContentType::json()) };
        for channel in [&absent, &made] {
            assert_eq!(after(channel), Position { after: 0, gap: None, snapshot: None });
        }
        let cut = Channel { first: 4, ..made };
        let gap = Gap { requested: Offset::ABSENT, earliest: Offset { epoch: 70, seq: 3 } };
        assert_eq!(after(&cut), Position { after: 3, gap: Some(gap), snapshot: None });
        assert_eq!(cut.position(Start::Beginning).gap, None);
    }

    #[test]
    fn an_offset_before_a_fork_holds_and_one_behind_it_is_a_gap_from_there() {
        let forks = vec![Fork { epoch: 50, tail: 4 }, Fork { epoch: 60, tail: 7 }];
        let channel = Channel { first: 4, tail: 9, forks, ..Channel::new(70, ContentType::json()) };
        let after = |epoch, seq| channel.position(Start::After(Offset { epoch, seq }));
        for (epoch, seq) in [(50, 3), (50, 4), (60, 5), (60, 7), (70, 9)] {
            assert_eq!(after(epoch, seq), Position { after: seq, gap: None, snapshot: None });
            let same = channel.present(Offset { epoch, seq });
            assert_eq!(same, Offset { epoch: 70, seq });
        }
        for (epoch, seq, fork) in [(50, 5, 4), (60, 8, 7)] {
            let requested = Offset { epoch, seq };
            let gap = Gap { requested, earliest: Offset { epoch: 70, seq: fork } };
            assert_eq!(after(epoch, seq), Position { after: fork, gap: Some(gap), snapshot: None });
            assert_eq!(channel.present(requested), requested);
        }
        // Retention has passed the fork, and the offset; an epoch without a fork is another channel.
        let cut = Channel { first: 9, ..channel.clone() };
        for (epoch, seq) in [(50, 5), (50, 2), (55, 3)] {
            let position = cut.position(Start::After(Offset { epoch, seq }));
            assert_eq!((position.after, position.gap.is_some()), (8, true));
        }
    }

    #[test]
    fn a_snapshot_replaces_the_past_and_no_other_channel() {
        let head = |stands_for| SnapshotHead { seq: 6, total: 60, bytes: 9, stands_for };
        let channel = Channel {
            first: 4,
            tail: 9,
            snapshot: Some(head(SnapshotUse::Past)),
            ..Channel::new(70, ContentType::json())
        };
        let after = |epoch, seq| channel.position(Start::After(Offset { epoch, seq }));
        let replaced = Position { after: 5, gap: None, snapshot: Some(6) };
        assert_eq!(channel.position(Start::Beginning), replaced);
        assert_eq!(channel.position(Start::After(Offset::ABSENT)), replaced);
        assert_eq!([after(70, 0), after(70, 2)], [replaced; 2]);
        for seq in [3, 5, 6, 9] {
            assert_eq!(after(70, seq), Position { after: seq, gap: None, snapshot: None });
        }
        for (epoch, seq) in [(69, 1), (71, 5), (70, 10)] {
            let gap =
                Gap { requested: Offset { epoch, seq }, earliest: Offset { epoch: 70, seq: 0 } };
            assert_eq!(after(epoch, seq), Position { gap: Some(gap), ..replaced });
        }
        assert_eq!(channel.position(Start::After(channel.earliest())), replaced);
        let latest = Channel { snapshot: Some(head(SnapshotUse::Latest)), ..channel.clone() };
        assert_eq!(
            latest.position(Start::Beginning),
            Position { after: 3, gap: None, snapshot: None }
        );
        assert!(latest.position(Start::After(Offset { epoch: 70, seq: 2 })).gap.is_some());
    }

    #[test]
    fn tidies_up_now_and_then() {
        let is_due = |tail, appended| {
            Channel { tail, ..Channel::new(1, ContentType::json()) }.is_due(appended)
        };
        assert!(is_due(64, 1) && is_due(70, 10) && is_due(128, 64));
        assert!(!is_due(63, 1) && !is_due(65, 1) && !is_due(70, 6));
    }

    #[test]
    fn an_expired_channel_does_not_slide_back() {
        let channel = Channel {
            expiry: Some(Expiry::Sliding { ttl_s: 2, touched_at_ms: 1_000 }),
            ..Channel::new(1, ContentType::json())
        };
        assert!(!channel.is_expired(2_999) && channel.is_expired(3_000));
        assert_eq!(channel.slid(2_999).map(|slid| slid.is_expired(4_998)), Some(false));
        assert_eq!(channel.slid(3_000), None);
    }
}
