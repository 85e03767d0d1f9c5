//! Compaction: when a channel gets a new snapshot, from what, and what to store.

use super::commit::Commit;
use crate::channel::latest::Latest;
use crate::channel::snapshot::{pack, unpack};
use crate::channel::{Channel, Event, Keys, Page, PageLimit, Snapshot, SnapshotHead};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{Policy, Snapshots};

/// Most bytes of events in one compaction; it covers the events before, and the next continues.
/// Together with the last snapshot and the new one far below the memory of a platform, 128 MB.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// A compaction that is due. The adapter reads the [last](CompactPlan::last) snapshot, then a page
/// of events [after](CompactPlan::after) it within the [limit](CompactPlan::limit), and stores the
/// result of [`CompactPlan::compact`], unless the channel has another snapshot or revision by then.
/// Where anything fails it logs the failure, and the channel stays as it was.
#[derive(Clone, Copy, Debug)]
pub struct CompactPlan {
    /// Number of the last snapshot, whose data to read.
    pub last: Option<u64>,
    /// Number of the event after which to read.
    pub after: u64,
    /// How many events to read.
    pub limit: PageLimit,
    snapshots: Snapshots,
    latest: Option<Keys>,
}

/// Whether a commit makes a compaction of the channel due. Reads nothing. A compaction that failed
/// becomes due again after as many events or bytes as the first time.
pub fn decide_compaction(commit: &Commit, policy: &Policy) -> Option<CompactPlan> {
    let snapshots = policy.snapshots?;
    let channel = &commit.channel;
    let (seq, total, bytes) =
        channel.snapshot.map_or((0, 0, 0), |last| (last.seq, last.total, last.bytes));
    // Events that retention has dropped cannot be read: only snapshots for `view=latest` lack them.
    let (seq, total) = (seq.max(channel.first - 1), total.max(channel.dropped));
    let is_crossed =
        |now: u64, added: u64, every: u64| now / every != now.saturating_sub(added) / every;
    let added_bytes = commit.rows.iter().map(|row| row.event.data.len() as u64).sum();
    let is_due = is_crossed(
        channel.tail.saturating_sub(seq),
        commit.rows.len() as u64,
        snapshots.every_events.max(1),
    ) || is_crossed(
        channel.total.saturating_sub(total),
        added_bytes,
        snapshots.every_bytes.max(bytes / 4).max(1),
    );
    is_due.then(|| CompactPlan {
        last: channel.snapshot.map(|last| last.seq),
        after: channel.snapshot.map_or(channel.first - 1, |last| last.seq.max(channel.first - 1)),
        limit: PageLimit {
            max_events: snapshots.every_events.saturating_mul(2),
            max_bytes: MOST_BYTES,
        },
        snapshots,
        latest: policy.latest,
    })
}

impl CompactPlan {
    /// The new snapshot of the channel, which covers the events up to the end of the page; `last` is
    /// the data of the last snapshot. `None` if there is nothing to cover.
    ///
    /// # Errors
    ///
    /// That of the function, and [`ErrorKind::Internal`] if the store no longer has what was asked
    /// for or if the snapshot would be too long.
    pub fn compact(
        &self,
        channel: &Channel,
        last: Option<&[u8]>,
        page: &Page,
        now_ms: u64,
    ) -> Result<Option<Snapshot>> {
        if last.is_some() != self.last.is_some() {
            return Err(internal("the last snapshot is gone".into()));
        }
        let (Some(first), Some(newest)) = (page.events.first(), page.events.last()) else {
            return Ok(None);
        };
        if self.snapshots.compact.is_some() && first.seq != self.after + 1 {
            return Err(internal(format!("the events after {} are gone", self.after)));
        }
        let data = match self.snapshots.compact {
            Some(compact) => compact(last, &page.events)?,
            None => self.newest(channel, last, &page.events)?,
        };
        let (bytes, most) = (data.len() as u64, self.snapshots.max_bytes);
        if bytes > most {
            return Err(internal(format!(
                "a snapshot of {bytes} bytes is too long, at most {most} are allowed"
            )));
        }
        let covered: u64 = page.events.iter().map(|event| event.data.len() as u64).sum();
        let before = channel.snapshot.map_or(0, |last| last.total).max(channel.dropped);
        let total = if newest.seq == channel.tail { channel.total } else { before + covered };
        let head = SnapshotHead {
            seq: newest.seq,
            total: total.min(channel.total),
            bytes,
            stands_for: self.snapshots.stands_for(),
        };
        Ok(Some(Snapshot { head, at_ms: now_ms, data, most: self.snapshots.most }))
    }

    /// The newest event of each key.
    fn newest(&self, channel: &Channel, last: Option<&[u8]>, events: &[Event]) -> Result<Vec<u8>> {
        let keys = self.latest.ok_or_else(|| internal("events without keys".into()))?;
        let before = unpack(last.unwrap_or_default())?;
        let kept = before.into_iter().filter(|event| event.seq >= channel.first);
        let page = Page { after: 0, events: kept.chain(events.iter().cloned()).collect() };
        Ok(pack(&Latest { keys, limit: PageLimit::NONE }.view(&page).0))
    }
}

fn internal(why: String) -> Error {
    Error::new(ErrorKind::Internal, format!("the channel was not compacted: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Row, SnapshotUse};
    use crate::http::ContentType;
    use crate::policy::Creation;
    use crate::settings::Settings;

    /// Joins, and refuses an event `!`.
    fn join(last: Option<&[u8]>, events: &[Event]) -> Result<Vec<u8>> {
        if events.iter().any(|event| event.data == b"!") {
            return Err(Error::new(ErrorKind::EventRefused, "no"));
        }
        let events = events.iter().map(|event| event.data.as_slice());
        Ok(last.into_iter().chain(events).collect::<Vec<_>>().concat())
    }

    fn policy() -> Policy {
        let settings = Settings { snapshot_events: 5, snapshot_bytes: 100, ..Settings::default() };
        Policy::new(Creation::OnPut, &settings).with_snapshots(join, &settings)
    }

    fn head(seq: u64, bytes: u64) -> SnapshotHead {
        SnapshotHead { seq, total: seq * 10, bytes, stands_for: SnapshotUse::Past }
    }

    /// A commit after which the channel has this many events of ten bytes.
    fn commit(tail: u64, added: u64, snapshot: Option<SnapshotHead>) -> Commit {
        let row =
            |seq| Row { event: Event { seq, data: vec![b'x'; 10] }, at_ms: 1, total: seq * 10 };
        let channel = Channel {
            tail,
            total: tail * 10,
            snapshot,
            ..Channel::new(7, ContentType::octet_stream())
        };
        Commit {
            channel,
            rows: (tail - added + 1..=tail).map(row).collect(),
            is_channel_changed: false,
            is_new: false,
            producer: None,
            tallies: Vec::new(),
            forgetting: None,
            push_due_ms: None,
            erased: None,
            is_placeable: false,
        }
    }

    fn is_due(tail: u64, added: u64, snapshot: Option<SnapshotHead>) -> bool {
        decide_compaction(&commit(tail, added, snapshot), &policy()).is_some()
    }

    #[test]
    fn is_due_by_events_and_again_after_as_many_if_it_failed() {
        assert_eq!((1..=10).filter(|tail| is_due(*tail, 1, None)).collect::<Vec<_>>(), [5, 10]);
        assert!(is_due(7, 4, None) && !is_due(9, 4, None));
        assert!(is_due(8, 1, Some(head(3, 1))) && !is_due(5, 1, Some(head(3, 1))));
        let without = Policy { snapshots: None, ..policy() };
        assert!(decide_compaction(&commit(5, 1, None), &without).is_none());
    }

    #[test]
    fn is_due_by_bytes_of_which_a_large_snapshot_waits_for_more() {
        let settings =
            Settings { snapshot_events: 1_000, snapshot_bytes: 100, ..Settings::default() };
        let policy = Policy::new(Creation::OnPut, &settings).with_snapshots(join, &settings);
        let due = |bytes| {
            (21..=60)
                .filter(|tail| {
                    decide_compaction(&commit(*tail, 1, Some(head(20, bytes))), &policy).is_some()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(due(400), [30, 40, 50, 60]);
        assert_eq!(due(800), [40, 60]);
    }

    #[test]
    fn covers_the_events_of_its_page_and_says_how_much_that_is() {
        let made = |tail, added, snapshot, last: Option<&[u8]>, page: Page| {
            let commit = commit(tail, added, snapshot);
            let plan = decide_compaction(&commit, &policy()).unwrap();
            plan.compact(&commit.channel, last, &page, 9)
        };
        let page = |after, seqs: std::ops::RangeInclusive<u64>, data: &str| Page {
            after,
            events: seqs.map(|seq| Event { seq, data: data.into() }).collect(),
        };
        let first = made(5, 1, None, None, page(0, 1..=5, "a")).unwrap().unwrap();
        assert_eq!(first.data, b"aaaaa");
        assert_eq!(
            (first.head, first.at_ms, first.most),
            (SnapshotHead { seq: 5, total: 50, bytes: 5, stands_for: SnapshotUse::Past }, 9, 32)
        );
        let part = made(15, 1, Some(head(5, 5)), Some(b"aa"), page(5, 6..=7, "bb"));
        let part = part.unwrap().unwrap();
        assert_eq!((part.data.as_slice(), part.head.seq, part.head.total), (&b"aabbbb"[..], 7, 54));
        let refused = |made: Result<Option<Snapshot>>| made.unwrap_err().kind();
        assert_eq!(refused(made(5, 1, None, None, page(0, 1..=5, "!"))), ErrorKind::EventRefused);
        assert_eq!(refused(made(5, 1, None, None, page(0, 2..=5, "a"))), ErrorKind::Internal);
        assert_eq!(
            refused(made(10, 1, Some(head(5, 5)), None, page(5, 6..=9, "a"))),
            ErrorKind::Internal
        );
        assert_eq!(made(5, 1, None, None, Page { after: 0, events: Vec::new() }).unwrap(), None);
    }

    #[test]
    fn a_snapshot_that_is_too_long_is_none() {
        let commit = commit(5, 1, None);
        let plan = decide_compaction(&commit, &policy().demo()).unwrap();
        let page =
            |bytes| Page { after: 0, events: vec![Event { seq: 1, data: vec![b'x'; bytes] }] };
        let made = |bytes| plan.compact(&commit.channel, None, &page(bytes), 9);
        assert!(made(1024 * 1024).is_ok() && made(1024 * 1024 + 1).is_err());
    }

    #[test]
    fn the_newest_of_each_key_is_what_the_whole_log_says() {
        let settings = Settings::default();
        let keys = |data: &[u8]| data.iter().map(|letter| letter.to_string()).collect();
        let policy = Policy::new(Creation::OnPut, &settings).with_latest(keys, &settings);
        let commit = commit(500, 1, None);
        let event = |seq, data: &str| Event { seq, data: data.into() };
        let compact =
            |channel: &Channel, last: Option<(&SnapshotHead, &[u8])>, events: Vec<Event>| {
                let plan = CompactPlan {
                    last: last.map(|(head, _)| head.seq),
                    ..decide_compaction(&commit, &policy).unwrap()
                };
                let page = Page { after: 0, events };
                plan.compact(channel, last.map(|(_, data)| data), &page, 9).unwrap().unwrap()
            };
        let held = |snapshot: &Snapshot| {
            let events = unpack(&snapshot.data).unwrap();
            events.iter().map(|event| event.seq).collect::<Vec<_>>()
        };
        let channel = commit.channel.clone();
        let first = compact(
            &channel,
            None,
            vec![event(1, "a"), event(2, "ab"), event(3, "b"), event(4, "c"), event(5, "")],
        );
        assert_eq!((held(&first), first.head.stands_for), (vec![2, 3, 4], SnapshotUse::Latest));
        let last = Some((&first.head, first.data.as_slice()));
        assert_eq!(held(&compact(&channel, last, vec![event(6, "c"), event(7, "")])), [2, 3, 6]);
        let cut = Channel { first: 3, ..channel };
        assert_eq!(held(&compact(&cut, last, vec![event(6, "b")])), [4, 6]);
    }
}
