//! Decides a read.

use http::{StatusCode, header};

use super::existing::existing;
use super::moment::Moment;
use crate::channel::latest::Latest;
use crate::channel::{Channel, Gap, Offset, Position, Start};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::http::headers::{self, reply, set};
use crate::policy::Policy;
use crate::request::{Read, Transport};
use crate::wire::{Framing, PagePlan, next_cursor};

/// The next step of an adapter that carries out a read.
#[derive(Debug)]
pub enum ReadDecision {
    /// Answer.
    Reply(Reply),
    /// Read a page after a position and answer with [`PagePlan::reply`].
    Page(PagePlan),
    /// Keep the reader: send it what [`Framing`] encodes.
    Subscribe(Subscribe),
}

/// A reader to keep.
#[derive(Clone, Copy, Debug)]
pub struct Subscribe {
    /// How its events are encoded.
    pub framing: Framing,
    /// Position after which it reads.
    pub after: u64,
    /// The frames to send first.
    pub gap: Option<Gap>,
    /// The snapshot that its first page begins with, in the place of the event of this number.
    pub snapshot: Option<u64>,
    /// Its first cursor; see [`next_cursor`].
    pub cursor: u64,
}

impl Subscribe {
    /// The position that the reader gets before it has any event. A reader that is about to
    /// get a snapshot has nothing yet: from the place before the snapshot it would miss the past.
    pub fn begins_after(&self) -> u64 {
        if self.snapshot.is_some() { 0 } else { self.after }
    }
}

/// Decides a read. `channel` must be `None` for a channel that [has expired](Channel::is_expired).
///
/// # Errors
///
/// The error that Durable Streams defines for the request and state.
pub fn decide_read(
    read: &Read,
    channel: Option<&Channel>,
    policy: &Policy,
    moment: Moment,
) -> Result<ReadDecision> {
    // A client of y-websocket that is the first to look may make the document later.
    let absent =
        (read.transport == Transport::Yjs && channel.is_none()).then(Channel::absent_document);
    let channel = existing(channel.or(absent.as_ref()), policy)?;
    let position = channel.position(read.start);
    let at_tail = position.after == channel.tail;
    let finished = channel.closed && at_tail;
    let cursor = next_cursor(moment.now_ms, read.cursor, moment.entropy);
    if let (Some(gap), Transport::Poll | Transport::LongPoll) = (position.gap, read.transport) {
        return Err(Error::gone(gap.requested, gap.earliest));
    }
    let subscribe = |framing| {
        ReadDecision::Subscribe(Subscribe {
            framing,
            after: position.after,
            gap: position.gap,
            snapshot: position.snapshot,
            cursor,
        })
    };
    Ok(match read.transport {
        Transport::Poll if read.latest && policy.latest.is_none() => {
            return Err(Error::new(
                ErrorKind::NotSupported,
                "this function does not support `view=latest`: read without it",
            ));
        }
        Transport::Poll => ReadDecision::Page(polled_page(read, &channel, position, policy)),
        Transport::LongPoll if finished => {
            let mut reply = timed_out(channel.tail_offset(), cursor);
            set(&mut reply, headers::CLOSED, "true");
            ReadDecision::Reply(reply)
        }
        Transport::LongPoll if at_tail => subscribe(Framing::News),
        Transport::LongPoll => ReadDecision::Page(PagePlan {
            snapshot: position.snapshot,
            ..PagePlan::after_wait(position.after, cursor)
        }),
        // With any other status the EventSource would reconnect for ever.
        Transport::EventSource if finished && position.gap.is_none() => {
            let mut reply = reply(StatusCode::NO_CONTENT, "");
            // 204 is cacheable by default, and a new channel of the name may be created.
            set(&mut reply, header::CACHE_CONTROL, "no-store");
            ReadDecision::Reply(reply)
        }
        Transport::EventSource => subscribe(Framing::EventSource),
        Transport::DurableSse => subscribe(Framing::DurableSse),
        Transport::WebSocket => subscribe(Framing::TidewireV1),
        Transport::Awareness => subscribe(Framing::Awareness),
        Transport::Yjs => subscribe(Framing::Yjs),
    })
}

/// The page of a plain read.
fn polled_page(read: &Read, channel: &Channel, position: Position, policy: &Policy) -> PagePlan {
    PagePlan {
        snapshot: if read.latest {
            channel.snapshot.map(|head| head.seq).filter(|seq| *seq > position.after)
        } else {
            position.snapshot
        },
        after: position.after,
        is_at_tail: position.after == channel.tail,
        if_none_match: read.if_none_match.clone(),
        cursor: None,
        is_cacheable: read.start != Start::Tail,
        polling: Some(policy.polling),
        latest: policy
            .latest
            .filter(|_| read.latest)
            .map(|keys| Latest { keys, limit: policy.page }),
    }
}

/// The answer to a long poll at its deadline without news.
pub fn timed_out(offset: Offset, cursor: u64) -> Reply {
    let mut reply = reply(StatusCode::NO_CONTENT, "");
    offset.set(&mut reply);
    set(&mut reply, headers::UP_TO_DATE, "true");
    set(&mut reply, headers::CURSOR, &cursor.to_string());
    set(&mut reply, header::CACHE_CONTROL, "no-store");
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Event, Page};
    use crate::http::{ContentType, Polling, RequestHead};
    use crate::policy::Creation;
    use crate::request::Operation;
    use crate::settings::Settings;

    const NOW: Moment = Moment { now_ms: 5_000, entropy: 0, last_epoch: 0 };

    fn policy() -> Policy {
        Policy::new(Creation::OnPublish(ContentType::json()), &Settings::default())
    }

    /// The headers `cache-control`, `retry-after` and `vary` of a plain GET.
    fn polled(polling: Polling, channel: &Channel, query: &str, end: u64) -> [Option<String>; 3] {
        let head =
            RequestHead { method: "GET", url: "http://a/b", path: "/b", query, headers: &|_| None };
        let policy = Policy { polling, ..policy() };
        let Operation::Read(read) = Operation::parse(&head).unwrap() else { panic!("no read") };
        let Ok(ReadDecision::Page(plan)) = decide_read(&read, Some(channel), &policy, NOW) else {
            panic!("no page")
        };
        let events = (plan.after + 1..=end).map(|seq| Event { seq, data: b"1".to_vec() }).collect();
        let reply = plan.reply(channel, &Page { after: plan.after, events });
        ["cache-control", "retry-after", "vary"]
            .map(|name| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned()))
    }

    #[test]
    fn a_poll_is_told_when_to_come_again_while_something_may_come() {
        let (open, told) = (
            Channel { tail: 3, ..Channel::new(1, ContentType::json()) },
            Polling { retry_after_s: Some(5), ..Polling::default() },
        );
        let retry_after = |channel: &Channel, end| polled(told, channel, "", end)[1].clone();
        assert_eq!(retry_after(&open, 3).as_deref(), Some("5"));
        assert_eq!(retry_after(&open, 2), None);
        assert_eq!(retry_after(&Channel { closed: true, ..open.clone() }, 3), None);
        assert_eq!(polled(Polling::default(), &open, "", 3)[1], None);
    }

    #[test]
    fn only_a_function_that_says_so_is_answered_by_shared_caches() {
        let channel = Channel { tail: 3, ..Channel::new(1, ContentType::json()) };
        let public = Polling { public_max_age_s: Some(7), ..Polling::default() };
        let cache_control =
            |polling, query| polled(polling, &channel, query, 3)[0].clone().unwrap();
        assert_eq!(cache_control(Polling::default(), ""), "private, no-cache, no-transform");
        assert_eq!(cache_control(public, ""), "public, max-age=7, no-transform");
        // What `now` means changes with every event.
        assert_eq!(cache_control(public, "offset=now"), "no-store");
        // The same address as an EventSource, or from a Last-Event-ID, is another answer.
        assert_eq!(polled(public, &channel, "", 3)[2].as_deref(), Some("accept, last-event-id"));
    }
}
