//! The encodings of events on each live transport.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::body::joined_text;
use super::news::news;
use super::{frame, sse};
use crate::access::{Grant, Revocation};
use crate::awareness;
use crate::channel::{Channel, Event, Gap, Offset};
use crate::close_code::CloseCode;
use crate::http::headers::{reply, set};
use crate::http::{ContentType, Reply, headers};
use crate::presence::{Member, members_json, presence_changes};
use crate::request::Transport;

/// Encoding of the frames for live readers. Readers of one framing get the same bytes, so each
/// event is encoded once for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Framing {
    /// JSON frames over WebSocket.
    TidewireV1,
    /// SSE for a native `EventSource`: one unnamed event per message.
    EventSource,
    /// SSE of Durable Streams: `data` and `control`.
    DurableSse,
    /// A long poll: the answer, for [`news_reply`](crate::news_reply).
    News,
    /// SSE of Durable Streams with the members of a document, as awareness of Yjs: no events.
    Awareness,
    /// Messages of y-websocket, which are bytes: [`document`](super::document) has them. Text would
    /// end the client's process, so every form of text is empty.
    Yjs,
}

/// The end of a finished channel for one reader.
#[derive(Clone, Debug)]
pub struct End {
    /// Last frame; empty if the last batch announced the end already.
    pub frame: String,
    /// WebSocket close code.
    pub code: CloseCode,
    /// WebSocket close reason.
    pub reason: &'static str,
}

impl Framing {
    /// Every framing.
    pub const ALL: [Framing; 6] = [
        Framing::TidewireV1,
        Framing::EventSource,
        Framing::DurableSse,
        Framing::News,
        Framing::Awareness,
        Framing::Yjs,
    ];

    /// The transport of the framing.
    pub fn transport(self) -> Transport {
        match self {
            Framing::TidewireV1 => Transport::WebSocket,
            Framing::EventSource => Transport::EventSource,
            Framing::DurableSse => Transport::DurableSse,
            Framing::News => Transport::LongPoll,
            Framing::Awareness => Transport::Awareness,
            Framing::Yjs => Transport::Yjs,
        }
    }

    /// First frame for a new reader: `hello`, or `retry:` with the time spread by half in either
    /// direction by `entropy`. It names the reader's position, so that a reader disconnected before
    /// its first event resumes where it was. Before a [`gap`](Framing::gap) the frame for an
    /// `EventSource` has no position: a reader disconnected between the two would never get the
    /// gap, whose own `id:` names the position. `ack_bytes` asks a reader over WebSocket to
    /// acknowledge after about that many characters.
    pub fn greeting(
        self,
        channel: &Channel,
        after: u64,
        gap: Option<Gap>,
        retry_ms: u64,
        entropy: u32,
        ack_bytes: Option<u64>,
    ) -> Option<String> {
        match self {
            Framing::TidewireV1 => Some(frame::hello(channel, after, ack_bytes)),
            Framing::EventSource => {
                let mut out = String::new();
                let position = gap.is_none().then(|| channel.offset(after).to_string());
                sse::encode_retry(
                    &mut out,
                    retry_ms / 2 + u64::from(entropy) % retry_ms.max(1),
                    position.as_deref(),
                );
                Some(out)
            }
            Framing::DurableSse | Framing::News | Framing::Awareness | Framing::Yjs => None,
        }
    }

    /// Notifies a reader that the requested events are gone; it continues with the earliest event.
    pub fn gap(self, gap: Gap, cursor: u64) -> Option<String> {
        let mut out = String::new();
        match self {
            Framing::TidewireV1 => return Some(frame::gap(gap)),
            Framing::EventSource => {
                let data =
                    format!(r#"{{"requested":"{}","earliest":"{}"}}"#, gap.requested, gap.earliest);
                // Without an id, an EventSource that gets no event after it would resume from the
                // lost offset for ever.
                sse::encode_event(&mut out, Some(&gap.earliest.to_string()), Some("gap"), &data);
            }
            Framing::DurableSse => control(&mut out, gap.earliest, cursor, &["streamGap"]),
            Framing::News | Framing::Awareness | Framing::Yjs => return None,
        }
        Some(out)
    }

    /// The change that a reader gets whose last list had the members `told`, when the list is
    /// `present` now. `None` for a framing without presence.
    pub fn presence_news(self, told: &[Member], present: &[Member]) -> Option<String> {
        // A client of Yjs takes only a state, and under the clock that it knows.
        let farewell = |member: &Member| match self {
            Framing::Awareness => awareness::left(member).unwrap_or_else(|| member.gone()),
            _ => member.gone(),
        };
        self.presence(&presence_changes(told, present, farewell), false)
    }

    /// The members for a reader: all members, or the members that changed. `None` for a framing
    /// without presence.
    pub fn presence(self, members: &[Member], is_snapshot: bool) -> Option<String> {
        let snapshot = if is_snapshot { r#""snapshot":true,"# } else { "" };
        if self == Framing::Awareness {
            return awareness_chunk(members, is_snapshot);
        }
        let members = members_json(members);
        match self {
            Framing::TidewireV1 => Some(format!(r#"{{"type":"presence",{snapshot}{members}}}"#)),
            Framing::EventSource => {
                let mut out = String::new();
                sse::encode_event(
                    &mut out,
                    None,
                    Some("presence"),
                    &format!("{{{snapshot}{members}}}"),
                );
                Some(out)
            }
            Framing::DurableSse | Framing::News | Framing::Awareness | Framing::Yjs => None,
        }
    }

    /// Whether it [carries presence](Framing::presence).
    pub fn carries_presence(self) -> bool {
        matches!(self, Framing::TidewireV1 | Framing::EventSource | Framing::Awareness)
    }

    /// A batch of events, the last of which is the reader's new position; `after` is its position
    /// before. Empty if there is nothing to send.
    pub fn batch(self, channel: &Channel, after: u64, events: &[Event], cursor: u64) -> String {
        let end = events.last().map_or(after, |event| event.seq);
        let is_up_to_date = end >= channel.tail;
        match self {
            Framing::TidewireV1 => frame::events(channel, events, is_up_to_date),
            Framing::EventSource => {
                // The id, the names of the fields and the line ends of an event take about 48 bytes.
                let mut out =
                    String::with_capacity(events.iter().map(|event| event.data.len() + 48).sum());
                for event in events {
                    let id = channel.offset(event.seq).to_string();
                    if channel.content_type.is_text() {
                        sse::encode_event(
                            &mut out,
                            Some(&id),
                            None,
                            &String::from_utf8_lossy(&event.data),
                        );
                    } else {
                        sse::encode_event(
                            &mut out,
                            Some(&id),
                            None,
                            &BASE64_STANDARD.encode(&event.data),
                        );
                    }
                }
                out
            }
            Framing::DurableSse => {
                let mut out = String::new();
                let offset = channel.offset(end);
                // One event for the whole page: in Durable Streams only a page has an offset.
                if !events.is_empty() {
                    sse::encode_event(
                        &mut out,
                        Some(&offset.to_string()),
                        Some("data"),
                        &joined_text(events, &channel.content_type),
                    );
                }
                let flags: &[&str] = match (is_up_to_date, channel.closed) {
                    (true, true) => &["upToDate", "streamClosed"],
                    (true, false) => &["upToDate"],
                    (false, _) => &[],
                };
                control(&mut out, offset, cursor, flags);
                out
            }
            Framing::News => news(channel, after, events),
            Framing::Awareness | Framing::Yjs => String::new(),
        }
    }

    /// The end, sent after the batch that reached the tail of a closed channel.
    pub fn end(self, channel: &Channel) -> End {
        let frame = if self == Framing::TidewireV1 {
            frame::closed(channel.tail_offset())
        } else {
            String::new()
        };
        End { frame, code: CloseCode::Finished, reason: "channel-closed" }
    }

    /// Announces the close code with which the server ends the connection: before the close itself,
    /// which may take seconds, and for SSE, which has no close code. `None` for a framing without
    /// such a frame; its client finds out by its next request.
    pub fn close(self, code: CloseCode, reason: &'static str) -> Option<String> {
        match self {
            Framing::TidewireV1 => Some(frame::close_frame(code.number(), reason)),
            Framing::EventSource => {
                let mut out = String::new();
                sse::encode_event(
                    &mut out,
                    None,
                    Some("close"),
                    &format!(r#"{{"code":{},"reason":"{reason}"}}"#, code.number()),
                );
                Some(out)
            }
            Framing::DurableSse | Framing::News | Framing::Awareness | Framing::Yjs => None,
        }
    }

    /// The close code of a client's socket: clients of Yjs have a range of their own.
    pub fn close_number(self, code: CloseCode) -> u16 {
        if self == Framing::Yjs { code.document_number() } else { code.number() }
    }

    /// Whether the reader is a socket of the client itself, whose rights the server ends; a stream
    /// is held by the adapter.
    pub fn is_socket(self) -> bool {
        self.transport().is_socket()
    }

    /// The last chunk of a stream that the server ends: why the client lost its access, else when
    /// to reconnect. `None` if the framing has no such frame.
    pub fn last_chunk(
        self,
        grant: &Grant,
        revocations: &[Revocation],
        now_ms: u64,
    ) -> Option<String> {
        match grant.check_access(revocations, now_ms) {
            Err(error) => self.close(error.close_code(), error.close_reason()),
            Ok(()) => {
                let mut out = String::new();
                sse::encode_retry(&mut out, sse::PLANNED_RETRY_MS, None);
                Some(out)
            }
        }
    }
}

/// Head of an SSE answer.
pub fn event_stream_head(framing: Framing, content_type: &ContentType) -> Reply {
    let mut reply = reply(StatusCode::OK, "");
    set(&mut reply, header::CONTENT_TYPE, "text/event-stream");
    // Like `no-transform` of every answer, it prevents proxies from buffering events.
    set(&mut reply, const { header::HeaderName::from_static("x-accel-buffering") }, "no");
    if framing == Framing::Awareness || framing == Framing::DurableSse && !content_type.is_text() {
        set(&mut reply, headers::SSE_ENCODING, "base64");
    }
    reply
}

/// The states of members as awareness updates. Its position never moves: nothing of it is stored,
/// and a reader that resumes gets all members again. `None` without a state of the default stream.
fn awareness_chunk(members: &[Member], is_snapshot: bool) -> Option<String> {
    let frames = awareness::frame(members, awareness::DEFAULT);
    if frames.is_empty() && !is_snapshot {
        return None;
    }
    let mut out = String::new();
    if !frames.is_empty() {
        sse::encode_event(&mut out, None, Some("data"), &BASE64_STANDARD.encode(frames));
    }
    control(&mut out, Offset::ABSENT, 0, &["upToDate"]);
    Some(out)
}

/// A flat object, as readers of Durable Streams expect, directly after its event line and without a
/// space.
fn control(out: &mut String, offset: Offset, cursor: u64, flags: &[&str]) {
    let mut json = format!(r#"{{"streamNextOffset":"{offset}""#);
    // After the end there are no requests to collapse.
    if !flags.contains(&"streamClosed") {
        json.push_str(&format!(r#","streamCursor":"{cursor}""#));
    }
    for flag in flags {
        json.push_str(&format!(r#","{flag}":true"#));
    }
    json.push('}');
    sse::encode_event(out, None, Some("control"), &json);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_stream_says_when_data_is_base64() {
        let encoding = |framing, content_type: &ContentType| {
            event_stream_head(framing, content_type).headers().get(headers::SSE_ENCODING).cloned()
        };
        let bytes = ContentType::octet_stream();
        assert_eq!(encoding(Framing::DurableSse, &bytes).unwrap(), "base64");
        assert_eq!(encoding(Framing::DurableSse, &ContentType::json()), None);
        assert_eq!(encoding(Framing::EventSource, &bytes), None);
    }

    #[test]
    fn the_head_of_a_stream_keeps_proxies_from_holding_it_back() {
        let head = event_stream_head(Framing::EventSource, &ContentType::json());
        assert_eq!(head.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(head.headers()[header::CACHE_CONTROL], "private, no-cache, no-transform");
        assert_eq!(head.headers()["x-accel-buffering"], "no");
    }

    #[test]
    fn presence_reaches_those_who_can_read_it() {
        let members = [
            Member { id: "a".into(), state: Some("{\n}".into()) },
            Member { id: "b".into(), state: None },
        ];
        assert_eq!(
            Framing::TidewireV1.presence(&members, false).unwrap(),
            "{\"type\":\"presence\",\"members\":[{\"id\":\"a\",\"state\":{\n}},{\"id\":\"b\",\"state\":null}]}"
        );
        assert_eq!(
            Framing::EventSource.presence(&[], true).unwrap(),
            "event: presence\ndata:{\"snapshot\":true,\"members\":[]}\n\n"
        );
        for framing in Framing::ALL {
            assert_eq!(framing.presence(&members, true).is_some(), framing.carries_presence());
        }
    }

    #[test]
    fn a_client_of_yjs_whose_lease_ended_has_left_under_its_last_clock() {
        let (mine, said) = (r#"{"awarenessClock":7,"state":{}}"#, "{}");
        let member = |state: &str| Member { id: "3".into(), state: Some(state.into()) };
        let left = member(r#"{"awarenessClock":7,"state":null}"#);
        assert_eq!(
            Framing::Awareness.presence_news(&[member(mine)], &[]),
            Framing::Awareness.presence(&[left], false)
        );
        let told = Framing::EventSource.presence_news(&[member(said)], &[]).unwrap();
        assert!(told.contains(r#"{"id":"3","state":null}"#), "{told}");
        assert_eq!(Framing::Awareness.presence_news(&[member(mine)], &[member(mine)]), None);
    }

    #[test]
    fn awareness_is_sent_as_the_bytes_of_yjs_and_at_first_even_without_any() {
        let state = r#"{"awarenessClock":5,"state":{}}"#;
        let members = [Member { id: "7".into(), state: Some(state.into()) }];
        let control = "event: control\ndata:{\"streamNextOffset\":\"000000000000_1fffffffffffff\",\"streamCursor\":\"0\",\"upToDate\":true}\n\n";
        let told =
            |members: &[Member], is_snapshot| Framing::Awareness.presence(members, is_snapshot);
        // 06: length; 01: clients; 07: client; 05: clock; 02 7b 7d: state.
        let expected = format!("event: data\ndata:BgEHBQJ7fQ==\n\n{control}");
        assert_eq!(told(&members, false), Some(expected));
        assert_eq!(told(&[], true).as_deref(), Some(control));
        assert_eq!(told(&[members[0].gone()], false), None);
    }

    #[test]
    fn an_end_is_told_to_those_who_can_read_it() {
        let told = Framing::ALL
            .map(|framing| framing.close(CloseCode::CredentialExpired, "credential-expired"));
        assert_eq!(
            told[0].as_deref(),
            Some(r#"{"type":"close","code":3005,"reason":"credential-expired"}"#)
        );
        assert_eq!(
            told[1].as_deref(),
            Some("event: close\ndata:{\"code\":3005,\"reason\":\"credential-expired\"}\n\n")
        );
        assert_eq!(told[2..], [None, None, None, None]);
    }

    #[test]
    fn a_stream_that_is_ended_says_when_to_come_back_or_why_not() {
        let grant = Grant { until_ms: Some(10), ..Grant::default() };
        assert_eq!(Framing::EventSource.last_chunk(&grant, &[], 9).unwrap(), "retry:100\n\n");
        assert!(
            Framing::EventSource
                .last_chunk(&grant, &[], 10)
                .unwrap()
                .contains("credential-expired")
        );
        assert_eq!(Framing::DurableSse.last_chunk(&grant, &[], 10), None);
    }

    #[test]
    fn spreads_reconnection_by_half_to_either_side() {
        let channel = Channel::new(1, ContentType::json());
        let retry = |entropy| {
            let greeting =
                Framing::EventSource.greeting(&channel, 0, None, 2_000, entropy, None).unwrap();
            greeting.split_once('\n').unwrap().0.to_owned()
        };
        assert_eq!(
            [retry(0), retry(1_999), retry(2_000)],
            ["retry:1000", "retry:2999", "retry:1000"]
        );
    }
}
