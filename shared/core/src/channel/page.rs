//! A run of events read from the store.

use std::convert::Infallible;

use super::event::Event;
use super::state::Channel;

/// Where a page ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// Most events.
    pub max_events: u64,
    /// Bytes of data after which it ends; the event that exceeds the limit is omitted unless it is
    /// the first.
    pub max_bytes: u64,
}

impl PageLimit {
    /// The whole channel, which retention bounds.
    pub const NONE: PageLimit = PageLimit { max_events: u32::MAX as u64, max_bytes: u64::MAX };
}

/// Events after a position, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The position.
    pub after: u64,
    /// The events after it.
    pub events: Vec<Event>,
}

impl Page {
    /// Takes events from the store up to the limit. Reads at most one event beyond those that it
    /// keeps.
    ///
    /// # Errors
    ///
    /// The first error of `events`.
    pub fn take<E>(
        after: u64,
        limit: PageLimit,
        events: impl IntoIterator<Item = Result<Event, E>>,
    ) -> Result<Page, E> {
        let mut page = Page { after, events: Vec::new() };
        let mut bytes = 0u64;
        for event in events {
            let event = event?;
            bytes += event.data.len() as u64;
            if bytes > limit.max_bytes && !page.events.is_empty() {
                break;
            }
            page.events.push(event);
            if page.events.len() as u64 >= limit.max_events {
                break;
            }
        }
        Ok(page)
    }

    /// The page that begins with the snapshot of this number in the place of its event, and continues
    /// with those of the log after it, up to the limit.
    pub fn with_past(seq: u64, data: Vec<u8>, log: Page, limit: PageLimit) -> Page {
        let events = std::iter::once(Event { seq, data }).chain(log.events);
        let Ok(page) = Page::take(seq.saturating_sub(1), limit, events.map(Ok::<_, Infallible>));
        page
    }

    /// Number of the last event read: the next page begins after it.
    pub fn end(&self) -> u64 {
        self.events.last().map_or(self.after, |event| event.seq)
    }

    /// Whether the page continues directly after its position, in the channel as it was read:
    /// retention may have passed the position if others wrote in between. A page without events
    /// must be at the tail: elsewhere the events that were asked for are gone.
    pub fn follows(&self, channel: &Channel) -> bool {
        self.events.first().map_or(self.after >= channel.tail, |event| event.seq == self.after + 1)
    }

    /// The part after a position within the page.
    pub fn after(&self, after: u64) -> &[Event] {
        let skipped = self.events.iter().take_while(|event| event.seq <= after).count();
        self.events.get(skipped..).unwrap_or_default()
    }

    /// Whether nothing newer exists.
    pub fn is_up_to_date(&self, channel: &Channel) -> bool {
        self.end() >= channel.tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ContentType;

    fn seqs(max_events: u64, max_bytes: u64) -> Vec<u64> {
        let events = (5..10).map(|seq| Ok::<_, ()>(Event { seq, data: vec![0; 10] }));
        Page::take(4, PageLimit { max_events, max_bytes }, events)
            .unwrap()
            .events
            .iter()
            .map(|event| event.seq)
            .collect()
    }

    #[test]
    fn ends_at_either_limit_but_never_empty() {
        assert_eq!(seqs(3, 1000), [5, 6, 7]);
        assert_eq!(seqs(100, 25), [5, 6]);
        assert_eq!(seqs(100, 1), [5]);
        assert_eq!(seqs(100, 1000), [5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_page_without_events_follows_at_the_tail_only() {
        let mut channel = Channel::new(7, ContentType::parse("application/json").unwrap());
        (channel.first, channel.tail) = (10, 9);
        let page = |after, seqs: std::ops::Range<u64>| Page {
            after,
            events: seqs.map(|seq| Event { seq, data: vec![] }).collect(),
        };
        assert!(page(9, 0..0).follows(&channel));
        assert!(!page(4, 0..0).follows(&channel), "all that came after it is gone");
        channel.tail = 12;
        assert!(page(9, 10..13).follows(&channel));
        assert!(!page(4, 10..13).follows(&channel), "some of what came after it is gone");
    }
}
