//! The first frames for a reader, and their order.

use crate::channel::{Channel, Gap, Page};
use crate::decide::Subscribe;
use crate::presence::Member;
use crate::wire::{End, Framing};

/// Frames for a new reader, before its first page: the greeting, a gap if the requested events are
/// gone, then all members.
///
/// `present` are the members, sorted by id; `None` if the function has no presence.
/// [`Framing::greeting`] explains `retry_ms`, `entropy` and `ack_bytes`. Empty for a framing
/// without such frames.
pub fn opening(
    subscribe: &Subscribe,
    channel: &Channel,
    present: Option<&[Member]>,
    retry_ms: u64,
    entropy: u32,
    ack_bytes: Option<u64>,
) -> Vec<String> {
    let Subscribe { framing, gap, cursor, .. } = *subscribe;
    let after = subscribe.begins_after();
    let greeting = framing.greeting(channel, after, gap, retry_ms, entropy, ack_bytes);
    let gap = gap.and_then(|gap| framing.gap(gap, cursor));
    let members = present.and_then(|members| framing.presence(members, true));
    [greeting, gap, members].into_iter().flatten().collect()
}

/// One page for one reader, and what follows it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Sent before the page, if retention passed the reader.
    pub gap: Option<String>,
    /// The page; empty if the framing has no form for it.
    pub batch: String,
    /// What follows the page.
    pub then: Then,
}

/// What follows a page.
#[derive(Clone, Debug)]
pub enum Then {
    /// Another page: there is more in the store.
    NextPage,
    /// New events as they arrive: the reader has everything so far.
    Live,
    /// The end: the channel is finished and the reader has every event.
    End(End),
}

impl Delivery {
    /// The page of a channel for a reader of this framing; `gap` belongs to the position at which
    /// the page was read.
    pub fn new(
        framing: Framing,
        channel: &Channel,
        gap: Option<Gap>,
        page: &Page,
        cursor: u64,
    ) -> Delivery {
        let gap = gap.and_then(|gap| framing.gap(gap, cursor));
        Delivery {
            gap,
            batch: framing.batch(channel, page.after, &page.events, cursor),
            then: Then::at(framing, channel, page.end()),
        }
    }

    /// All frames, in order.
    pub fn frames(self) -> impl Iterator<Item = String> {
        let end = match self.then {
            Then::End(end) => end.frame,
            Then::NextPage | Then::Live => String::new(),
        };
        self.gap.into_iter().chain([self.batch, end]).filter(|frame| !frame.is_empty())
    }
}

impl Then {
    /// What follows for a reader that has everything up to the event of this number.
    pub fn at(framing: Framing, channel: &Channel, seq: u64) -> Then {
        match (seq >= channel.tail, channel.closed) {
            (false, _) => Then::NextPage,
            (true, false) => Then::Live,
            (true, true) => Then::End(framing.end(channel)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Event;
    use crate::http::ContentType;

    fn channel(closed: bool) -> Channel {
        Channel { first: 3, tail: 7, closed, ..Channel::new(9, ContentType::json()) }
    }

    fn kinds(frames: impl IntoIterator<Item = String>) -> Vec<String> {
        let kind = |frame: String| {
            serde_json::from_str::<serde_json::Value>(&frame).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        frames.into_iter().map(kind).collect()
    }

    fn subscribe(framing: Framing, is_lost: bool) -> Subscribe {
        let gap = is_lost.then(|| Gap {
            requested: channel(false).offset(1),
            earliest: channel(false).earliest(),
        });
        Subscribe { framing, after: 2, gap, snapshot: None, cursor: 0 }
    }

    #[test]
    fn a_reader_is_greeted_then_told_of_the_gap_then_of_the_members() {
        let members = [Member { id: "a".into(), state: Some("{}".into()) }];
        let opened = |is_lost, present: Option<&[Member]>| {
            kinds(opening(
                &subscribe(Framing::TidewireV1, is_lost),
                &channel(false),
                present,
                2_000,
                0,
                None,
            ))
        };
        assert_eq!(opened(true, Some(&members)), ["hello", "gap", "presence"]);
        assert_eq!(opened(false, Some(&[])), ["hello", "presence"]);
        assert_eq!(opened(true, None), ["hello", "gap"]);
        let text = opening(
            &subscribe(Framing::EventSource, true),
            &channel(false),
            Some(&members),
            2_000,
            0,
            None,
        )
        .concat();
        assert_eq!(text.matches("event: ").count(), 2);
        assert!(
            text.starts_with("retry:1000\n\n")
                && text.find("event: gap") < text.find("event: presence"),
            "{text}"
        );
        for framing in [Framing::DurableSse, Framing::News] {
            assert!(
                opening(
                    &subscribe(framing, false),
                    &channel(false),
                    Some(&members),
                    2_000,
                    0,
                    None
                )
                .is_empty(),
                "{framing:?}"
            );
        }
    }

    #[test]
    fn a_page_is_followed_by_the_next_by_what_comes_or_by_the_end() {
        let page = |end: u64| Page {
            after: 2,
            events: (3..=end).map(|seq| Event { seq, data: b"1".to_vec() }).collect(),
        };
        let deliver =
            |closed, end| Delivery::new(Framing::TidewireV1, &channel(closed), None, &page(end), 0);
        assert!(matches!(deliver(true, 5).then, Then::NextPage));
        assert!(matches!(deliver(false, 7).then, Then::Live));
        assert_eq!(kinds(deliver(true, 5).frames()), ["events"]);
        assert_eq!(kinds(deliver(true, 7).frames()), ["events", "closed"]);
        let gap = Gap { requested: channel(false).offset(1), earliest: channel(false).earliest() };
        assert_eq!(
            kinds(
                Delivery::new(Framing::TidewireV1, &channel(true), Some(gap), &page(7), 0).frames()
            ),
            ["gap", "events", "closed"]
        );
        // The last batch of Durable Streams says it itself, and an EventSource has no page without
        // events.
        assert_eq!(
            Delivery::new(Framing::DurableSse, &channel(true), None, &page(7), 0).frames().count(),
            1
        );
        assert_eq!(
            Delivery::new(
                Framing::EventSource,
                &channel(false),
                None,
                &Page { after: 7, events: Vec::new() },
                0
            )
            .frames()
            .count(),
            0
        );
    }
}
