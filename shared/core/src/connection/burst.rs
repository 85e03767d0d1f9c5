//! Events that arrive together leave in one frame.

use crate::channel::Page;

/// Publishes that are closer than this belong together, in milliseconds.
pub const BURST_MS: u64 = 2;

/// Longest wait of an event for later events, in milliseconds, beside the time that a frame to all
/// readers takes.
const LONGEST_MS: u64 = 10;

/// Readers that a frame reaches in a millisecond, at least: with a thousand of them the next
/// publish waits 25 ms for its turn, and still belongs to the publish before it.
const READERS_IN_A_MS: u64 = 40;

/// Most bytes of data that wait.
const MAX_BYTES: usize = 65_536;

/// The newest events of a channel that its live readers do not have yet.
///
/// An event that follows no other event is sent at once. Events that follow it closely wait until
/// no event has come for [`BURST_MS`], at most 10 ms and as long as a frame to all readers takes: a
/// frame to a thousand readers costs as much with fifty events as with one. The time in which a
/// frame is sent does not count as a pause, since no publish can arrive then. Only the readers
/// wait. The publishers have their acknowledgements.
#[derive(Debug, Default)]
pub struct Burst {
    /// When the newest event came, in milliseconds since 1970.
    newest_at_ms: u64,
    /// When the oldest event came that waits.
    oldest_at_ms: u64,
    waiting: Option<Page>,
    /// Bytes of data in them.
    bytes: usize,
    /// How long a frame to all readers takes, in milliseconds.
    frame_ms: u64,
    /// Whether the adapter's timer is set.
    is_timed: bool,
}

/// What the adapter must do with events.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The readers get these events now.
    Send(Page),
    /// The adapter calls [`Burst::look`] after [`BURST_MS`].
    SetTimer,
    /// Nothing.
    Wait,
}

impl Burst {
    /// Adds the events that were stored now, for so many live readers.
    pub fn add(&mut self, page: Page, readers: u64, now_ms: u64) -> Arrival {
        self.frame_ms = readers / READERS_IN_A_MS;
        let is_alone = now_ms >= self.newest_at_ms + BURST_MS + self.frame_ms;
        self.newest_at_ms = now_ms;
        match &mut self.waiting {
            None if is_alone => return Arrival::Send(page),
            None => {
                self.oldest_at_ms = now_ms;
                self.bytes = bytes(&page);
                self.waiting = Some(page);
            }
            Some(waiting) => {
                self.bytes += bytes(&page);
                waiting.events.extend(page.events);
            }
        }
        if self.bytes >= MAX_BYTES
            && let Some(page) = self.take()
        {
            return Arrival::Send(page);
        }
        if self.is_timed { Arrival::Wait } else { self.set_timer() }
    }

    /// What the timer finds.
    pub fn look(&mut self, now_ms: u64) -> Arrival {
        self.is_timed = false;
        if self.waiting.is_some()
            && now_ms < self.newest_at_ms + BURST_MS
            && now_ms < self.oldest_at_ms + LONGEST_MS + self.frame_ms
        {
            return self.set_timer();
        }
        self.take().map_or(Arrival::Wait, Arrival::Send)
    }

    /// The events that wait. An adapter sends them before all else that changes what its readers
    /// see: a change of the channel, an erasure, a revocation, another reader, presence.
    pub fn take(&mut self) -> Option<Page> {
        self.waiting.take()
    }

    fn set_timer(&mut self) -> Arrival {
        self.is_timed = true;
        Arrival::SetTimer
    }
}

fn bytes(page: &Page) -> usize {
    page.events.iter().map(|event| event.data.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Event;

    fn page(after: u64, data: &str) -> Page {
        Page { after, events: vec![Event { seq: after + 1, data: data.into() }] }
    }

    /// The position and the numbers of what is sent.
    fn sent(arrival: Arrival) -> (u64, Vec<u64>) {
        match arrival {
            Arrival::Send(page) => {
                (page.after, page.events.iter().map(|event| event.seq).collect())
            }
            other => panic!("nothing is sent: {other:?}"),
        }
    }

    #[test]
    fn an_event_alone_is_sent_at_once() {
        let mut burst = Burst::default();
        for (after, now_ms) in [(0, 1_000), (1, 1_002), (2, 1_500)] {
            assert_eq!(sent(burst.add(page(after, "a"), 1, now_ms)), (after, vec![after + 1]));
            assert_eq!(burst.take(), None);
        }
    }

    #[test]
    fn events_that_follow_closely_are_sent_together_and_in_order() {
        let mut burst = Burst::default();
        assert_eq!(sent(burst.add(page(0, "a"), 1, 1_000)), (0, vec![1]));
        assert_eq!(burst.add(page(1, "b"), 1, 1_000), Arrival::SetTimer);
        assert_eq!(burst.add(page(2, "c"), 1, 1_001), Arrival::Wait);
        assert_eq!(burst.look(1_002), Arrival::SetTimer);
        assert_eq!(sent(burst.look(1_004)), (1, vec![2, 3]));
        assert_eq!(sent(burst.add(page(3, "d"), 1, 1_004)), (3, vec![4]));
    }

    #[test]
    fn the_time_in_which_a_frame_is_sent_does_not_count() {
        let mut burst = Burst::default();
        assert_eq!(sent(burst.add(page(0, "a"), 1_000, 1_000)), (0, vec![1]));
        assert_eq!(burst.add(page(1, "b"), 1_000, 1_026), Arrival::SetTimer);
        assert_eq!(burst.add(page(2, "c"), 1_000, 1_027), Arrival::Wait);
        assert_eq!(sent(burst.look(1_029)), (1, vec![2, 3]));
        assert_eq!(sent(burst.add(page(3, "d"), 1_000, 1_054)), (3, vec![4]));
    }

    #[test]
    fn a_burst_to_many_readers_waits_as_long_as_a_frame_takes() {
        let mut burst = Burst::default();
        assert_eq!(sent(burst.add(page(0, "a"), 1_000, 1_000)), (0, vec![1]));
        for step in 1..=40 {
            burst.add(page(step, "b"), 1_000, 1_000 + step);
            if let Arrival::Send(page) = burst.look(1_000 + step) {
                assert_eq!((step, page.events.len()), (36, 36));
            }
        }
    }

    #[test]
    fn a_burst_that_does_not_end_is_sent_in_parts() {
        let mut burst = Burst::default();
        assert_eq!(sent(burst.add(page(0, "a"), 1, 1_000)), (0, vec![1]));
        let mut parts = Vec::new();
        for step in 1..=30 {
            burst.add(page(step, "b"), 1, 1_000 + step);
            if let Arrival::Send(page) = burst.look(1_000 + step) {
                parts.push(page.events.len());
            }
        }
        assert_eq!(parts, [11, 11]);
    }

    #[test]
    fn what_was_sent_before_is_not_sent_by_the_timer() {
        let mut burst = Burst::default();
        assert_eq!(sent(burst.add(page(0, "a"), 1, 1_000)), (0, vec![1]));
        assert_eq!(burst.add(page(1, "b"), 1, 1_000), Arrival::SetTimer);
        assert_eq!(burst.take(), Some(page(1, "b")));
        // The timer is still set.
        assert_eq!(burst.add(page(2, "c"), 1, 1_001), Arrival::Wait);
        assert_eq!(sent(burst.look(1_003)), (2, vec![3]));
        assert_eq!(burst.look(1_005), Arrival::Wait);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut burst = Burst::default();
        let long = "a".repeat(MAX_BYTES / 2);
        assert_eq!(sent(burst.add(page(0, &long), 1, 1_000)), (0, vec![1]));
        assert_eq!(burst.add(page(1, &long), 1, 1_000), Arrival::SetTimer);
        assert_eq!(sent(burst.add(page(2, &long), 1, 1_000)), (1, vec![2, 3]));
        assert_eq!(burst.look(1_002), Arrival::Wait);
    }
}
