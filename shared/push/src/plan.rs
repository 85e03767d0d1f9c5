//! The next message for a subscription: a fold over the events after the last event that it was
//! served.

use tidewire_core::PushPage;

use crate::notice::{Meaning, Notice};

/// Most notices that are sent one by one; more notices become one message, of the newest.
const MAX_SINGLE: usize = 3;

/// The next message of a subscription.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// Position of the notice; everything up to it is served with the message.
    pub(crate) seq: u64,
    /// When it was stored, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) notice: Notice,
    /// How many older notices the message stands for as well.
    pub(crate) more: usize,
    /// Whether other notices are due after it.
    pub(crate) is_last: bool,
}

/// What to do with a subscription now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Send this message.
    Send(Box<Next>),
    /// Nothing is due. Everything up to `served` needs nothing more; `due_ms` is when the next
    /// notice is due.
    Wait { served: u64, due_ms: Option<u64> },
    /// The page did not reach the tail: look again after `served`.
    Look { served: u64 },
}

struct Owed {
    seq: u64,
    at_ms: u64,
    notice: Notice,
}

impl Plan {
    /// Plans from the page after what was `served` before. A notice waits `delay_ms` for a reader.
    pub(crate) fn of(
        page: &PushPage,
        served: u64,
        read: fn(&[u8]) -> Meaning,
        delay_ms: u64,
        now_ms: u64,
    ) -> Plan {
        let mut owed: Vec<Owed> = Vec::new();
        for event in &page.events {
            match read(&event.data) {
                Meaning::Notice(notice) => {
                    let known = owed.iter().position(|owed| owed.notice.id == notice.id);
                    if let Some(at) = known {
                        if owed.get(at).is_some_and(|known| known.notice.at_ms >= notice.at_ms) {
                            continue;
                        }
                        owed.remove(at);
                    }
                    owed.push(Owed { seq: event.seq, at_ms: event.at_ms, notice });
                }
                Meaning::Read(offset) if offset.epoch == page.epoch => {
                    owed.retain(|owed| owed.seq != offset.seq);
                }
                Meaning::ReadUpTo(offset) if offset.epoch == page.epoch => {
                    owed.retain(|owed| owed.seq > offset.seq);
                }
                Meaning::Read(_) | Meaning::ReadUpTo(_) | Meaning::Nothing => {}
            }
        }
        let due_ms = |owed: &Owed| owed.at_ms.saturating_add(delay_ms);
        let ripe = owed.iter().take_while(|owed| due_ms(owed) <= now_ms).count();
        let next_due = owed.get(ripe).map(|owed| (owed.seq.saturating_sub(1), due_ms(owed)));
        let more = if ripe > MAX_SINGLE { ripe - 1 } else { 0 };
        if let Some(Owed { seq, at_ms, notice }) = owed.into_iter().take(ripe).nth(more) {
            let is_last = more > 0 || ripe == 1;
            return Plan::Send(Box::new(Next { seq, at_ms, notice, more, is_last }));
        }
        let end = page.events.last().map_or(page.tail, |event| event.seq).max(served);
        match next_due {
            Some((before, due_ms)) => {
                Plan::Wait { served: before.max(served), due_ms: Some(due_ms) }
            }
            None if end < page.tail => Plan::Look { served: end },
            None => Plan::Wait { served: end, due_ms: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use tidewire_core::{Offset, PushEvent};

    use super::*;
    use crate::message::Urgency;

    const EPOCH: u64 = 9;
    const DELAY_MS: u64 = 5_000;

    /// `n1@7` is the notice `n1` that happened at 7; `r3` reads the event 3, `u3` all up to it, `o3`
    /// the event 3 of another channel of the name.
    fn read(event: &[u8]) -> Meaning {
        let text = std::str::from_utf8(event).unwrap();
        let (kind, rest) = text.split_at(1);
        let offset =
            |epoch| Offset { epoch, seq: rest.parse().expect("a number follows the letter") };
        match kind {
            "n" => {
                let (id, at) = rest.split_once('@').unwrap();
                Meaning::Notice(Notice {
                    id: id.into(),
                    title: id.into(),
                    body: String::new(),
                    url: None,
                    at_ms: at.parse().unwrap(),
                    urgency: Urgency::Normal,
                })
            }
            "r" => Meaning::Read(offset(EPOCH)),
            "u" => Meaning::ReadUpTo(offset(EPOCH)),
            "o" => Meaning::ReadUpTo(offset(EPOCH + 1)),
            _ => Meaning::Nothing,
        }
    }

    /// The events after position 10, each a second after the one before it.
    fn page(events: &[&str]) -> PushPage {
        let event = |(index, text): (usize, &&str)| PushEvent {
            seq: 11 + index as u64,
            at_ms: 1_000 * (1 + index as u64),
            data: text.as_bytes().to_vec(),
        };
        let events: Vec<_> = events.iter().enumerate().map(event).collect();
        PushPage { epoch: EPOCH, tail: 10 + events.len() as u64, events }
    }

    fn at(events: &[&str], now_ms: u64) -> Plan {
        Plan::of(&page(events), 10, read, DELAY_MS, now_ms)
    }

    /// Id, position and the number of older ones of the message that is sent.
    fn sent(events: &[&str]) -> Option<(String, u64, usize)> {
        match at(events, 1_000_000) {
            Plan::Send(next) => Some((next.notice.id, next.seq, next.more)),
            Plan::Wait { served, due_ms: None } => {
                assert_eq!(served, 10 + events.len() as u64);
                None
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_nobody_has_seen_is_sent_in_order() {
        assert_eq!(sent(&["n1@1", "n2@1"]), Some(("1".into(), 11, 0)));
        assert_eq!(sent(&["x", "n2@1"]), Some(("2".into(), 12, 0)));
        assert_eq!(sent(&[]), None);
    }

    #[test]
    fn what_a_reader_has_is_not_sent() {
        assert_eq!(sent(&["n1@1", "r11"]), None);
        assert_eq!(sent(&["n1@1", "n2@1", "u12"]), None);
        assert_eq!(sent(&["n1@1", "n2@1", "u11"]), Some(("2".into(), 12, 0)));
        assert_eq!(sent(&["n1@1", "n2@1", "r12"]), Some(("1".into(), 11, 0)));
        // A mark of a channel of the name that was deleted.
        assert_eq!(sent(&["n1@1", "o11"]), Some(("1".into(), 11, 0)));
    }

    #[test]
    fn a_later_notice_replaces_its_predecessor_and_a_repetition_does_not() {
        assert_eq!(sent(&["n1@1", "n2@1", "n1@2"]), Some(("2".into(), 12, 0)));
        assert_eq!(sent(&["n1@2", "n1@2"]), Some(("1".into(), 11, 0)));
        assert_eq!(sent(&["n1@2", "n1@1"]), Some(("1".into(), 11, 0)));
        assert_eq!(sent(&["n1@1", "r11", "n1@2"]), Some(("1".into(), 13, 0)));
    }

    #[test]
    fn more_than_three_are_one_message() {
        assert_eq!(sent(&["n1@1", "n2@1", "n3@1"]), Some(("1".into(), 11, 0)));
        assert_eq!(sent(&["n1@1", "n2@1", "n3@1", "n4@1"]), Some(("4".into(), 14, 3)));
    }

    #[test]
    fn each_waits_for_a_reader() {
        let events = ["n1@1", "x", "n2@1"];
        assert_eq!(at(&events, 5_999), Plan::Wait { served: 10, due_ms: Some(6_000) });
        assert!(matches!(at(&events, 6_000), Plan::Send(next) if next.seq == 11 && next.is_last));
        let rest = ["x", "x", "n2@1"];
        assert_eq!(at(&rest, 6_000), Plan::Wait { served: 12, due_ms: Some(8_000) });
        assert!(matches!(at(&events, 8_000), Plan::Send(next) if !next.is_last));
    }

    #[test]
    fn a_page_that_ends_before_the_tail_is_followed_by_another() {
        let longer = PushPage { tail: 99, ..page(&["x", "x"]) };
        assert_eq!(Plan::of(&longer, 10, read, 0, 0), Plan::Look { served: 12 });
        let empty = PushPage { epoch: EPOCH, tail: 99, events: Vec::new() };
        assert_eq!(
            Plan::of(&empty, 10, read, 0, 0),
            Plan::Wait { served: 99, due_ms: None },
            "retention dropped all"
        );
    }
}
