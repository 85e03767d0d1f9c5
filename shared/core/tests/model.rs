//! Random histories of a channel against a ten-line model: whoever follows the offsets, on any
//! transport and in any order of transports, gets each event that is kept exactly once and in
//! order, or one gap.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod documents;
mod memory;
mod sse_decoder;

use documents::{Documents, LIFE_S};
use memory::{Answer, Ask, Feed, Memory};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use sse_decoder::Decoder;
use tidewire_core::{Offset, Settings};

const MAX_EVENTS: usize = 6;
const MAX_BYTES: usize = 50;
const MAX_AGE_MS: u64 = 10_000;
const PAGE_MAX_EVENTS: usize = 3;

/// What there should be: every event with its time, and how many of them are gone.
#[derive(Default)]
struct Model {
    generation: u64,
    events: Vec<(Value, u64)>,
    dropped: usize,
    closed: bool,
}

impl Model {
    fn retain(&mut self, now_ms: u64) {
        let bytes = |events: &[(Value, u64)]| {
            events.iter().map(|(data, _)| data.to_string().len()).sum::<usize>()
        };
        while let [(_, at_ms), newer @ ..] = &self.events[self.dropped..] {
            let kept = &self.events[self.dropped..];
            let too_many = kept.len() > MAX_EVENTS || bytes(kept) > MAX_BYTES;
            if !(too_many && !newer.is_empty() || now_ms - at_ms > MAX_AGE_MS) {
                break;
            }
            self.dropped += 1;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Poll,
    LongPoll,
    EventSource,
    DurableSse,
    WebSocket,
}

#[derive(Clone, Debug)]
enum Step {
    /// Events of these lengths, in one publish.
    Publish(Vec<usize>),
    Read(usize, Transport),
    Wait(u64),
    Close,
    Delete,
}

fn step() -> impl Strategy<Value = Step> {
    use Transport::{DurableSse, EventSource, LongPoll, Poll, WebSocket};
    let transport = prop::sample::select(vec![Poll, LongPoll, EventSource, DurableSse, WebSocket]);
    prop_oneof![
        8 => vec(prop_oneof![9 => 1usize..10, 1 => 60usize..70], 1..5).prop_map(Step::Publish),
        12 => (0usize..3, transport).prop_map(|(reader, transport)| Step::Read(reader, transport)),
        3 => (0u64..8_000).prop_map(Step::Wait),
        1 => Just(Step::Close),
        1 => Just(Step::Delete),
    ]
}

/// A client: the offset it keeps, and which events of which channel lie before it; none are at
/// `-1`. Where it found no channel, none of any channel do.
struct Reader {
    offset: String,
    before: Option<(u64, usize)>,
}

/// What one read gave.
#[derive(Debug, Default)]
struct Got {
    gaps: usize,
    events: Vec<Value>,
    offset: Option<String>,
    /// The server says that nothing will follow.
    is_over: bool,
}

fn ask(method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Ask {
    let headers =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Ask {
        method: method.into(),
        path: "/demo-model".into(),
        query: query.into(),
        headers,
        body: body.into(),
        frames: Vec::new(),
    }
}

fn read(server: &mut Memory, transport: Transport, offset: &str) -> Got {
    let answer = server.fetch(&match transport {
        Transport::Poll => ask("GET", &format!("offset={offset}"), &[], ""),
        Transport::LongPoll => ask("GET", &format!("live=long-poll&offset={offset}"), &[], ""),
        Transport::EventSource => {
            ask("GET", "", &[("accept", "text/event-stream"), ("last-event-id", offset)], "")
        }
        Transport::DurableSse => ask("GET", &format!("live=sse&offset={offset}"), &[], ""),
        Transport::WebSocket => {
            ask("GET", &format!("offset={offset}"), &[("upgrade", "websocket")], "")
        }
    });
    match transport {
        Transport::Poll | Transport::LongPoll => polled(&answer),
        Transport::EventSource | Transport::DurableSse => streamed(&answer),
        Transport::WebSocket => framed(&answer),
    }
}

fn polled(answer: &Answer) -> Got {
    let json = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    match answer.status {
        410 => Got { gaps: 1, offset: text(&json["earliest"]), ..Got::default() },
        _ => Got {
            gaps: 0,
            events: json.as_array().cloned().unwrap_or_default(),
            offset: answer.headers.get("stream-next-offset").cloned(),
            is_over: answer.headers.contains_key("stream-closed"),
        },
    }
}

fn streamed(answer: &Answer) -> Got {
    let mut got = Got { is_over: answer.status == 204, ..Got::default() };
    for event in Decoder::new().push(&answer.body) {
        let data: Value = serde_json::from_str(&event.data).unwrap();
        match event.event.as_str() {
            "message" => {
                got.events.push(data);
                got.offset = Some(event.last_event_id);
            }
            "gap" => {
                got.gaps += 1;
                got.offset = text(&data["earliest"]);
            }
            "data" => got.events.extend(data.as_array().unwrap().iter().cloned()),
            _ => {
                got.gaps += usize::from(data["streamGap"] == true);
                got.is_over = data["streamClosed"] == true;
                got.offset = text(&data["streamNextOffset"]);
            }
        }
    }
    got
}

fn framed(answer: &Answer) -> Got {
    let mut got = Got { is_over: answer.close == Some(1000), ..Got::default() };
    for frame in &answer.frames {
        let frame: Value = serde_json::from_str(frame).unwrap();
        got.gaps += usize::from(frame["type"] == "gap");
        got.offset = text(&frame["offset"]).or(got.offset);
        for event in frame["events"].as_array().into_iter().flatten() {
            got.events.push(event["data"].clone());
            got.offset = text(&event["offset"]);
        }
    }
    got
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(Into::into)
}

proptest! {
    #[test]
    fn every_reader_sees_each_event_once_and_in_order_or_one_gap(steps in vec(step(), 1..60)) {
        let limits = [("RETENTION_MAX_EVENTS", MAX_EVENTS as u64), ("RETENTION_MAX_BYTES", MAX_BYTES as u64), ("RETENTION_MAX_AGE_S", MAX_AGE_MS / 1000), ("PAGE_MAX_EVENTS", PAGE_MAX_EVENTS as u64)];
        let settings = Settings::read(|name| limits.iter().find(|(limit, _)| *limit == name).map(|(_, value)| value.to_string())).unwrap();
        let mut server = Memory::new::<Feed>(settings);
        let mut model = Model::default();
        let mut readers = [(); 3].map(|()| Reader { offset: "-1".into(), before: None });
        let mut published = 0;
        let absent = Offset::ABSENT.to_string();

        for step in steps {
            model.retain(server.now_ms);
            match step {
                Step::Wait(ms) => server.now_ms += ms,
                Step::Publish(lengths) => {
                    let batch: Vec<Value> = lengths.iter().map(|length| {
                        published += 1;
                        format!("{published:0length$}").into()
                    }).collect();
                    let answer = server.fetch(&ask("POST", "", &[("content-type", "application/json")], &Value::from(batch.clone()).to_string()));
                    prop_assert_eq!(answer.status, if model.closed { 409 } else { 204 });
                    if !model.closed {
                        model.events.extend(batch.into_iter().map(|data| (data, server.now_ms)));
                    }
                }
                Step::Close => {
                    prop_assert_eq!(server.fetch(&ask("POST", "", &[("stream-closed", "true")], "")).status, 204);
                    model.closed = true;
                }
                Step::Delete => {
                    let exists = model.closed || !model.events.is_empty();
                    prop_assert_eq!(server.fetch(&ask("DELETE", "", &[], "")).status, if exists { 204 } else { 404 });
                    if exists {
                        model = Model { generation: model.generation + 1, ..Model::default() };
                    }
                }
                Step::Read(reader, transport) => {
                    let reader = &mut readers[reader];
                    let got = read(&mut server, transport, &reader.offset);
                    let here = reader.before.filter(|&(generation, count)| (generation == model.generation || reader.offset == absent) && count >= model.dropped);
                    let is_gap = reader.before.is_some() && here.is_none();
                    prop_assert_eq!(got.gaps, usize::from(is_gap), "{:?} from {} got {:?}", transport, reader.offset, got);

                    let from = here.map_or(model.dropped, |(_, count)| count);
                    let rest = &model.events[from..];
                    let (count, may_tell_the_end) = match transport {
                        Transport::Poll | Transport::LongPoll if is_gap => (0, false),
                        Transport::Poll | Transport::LongPoll => (rest.len().min(PAGE_MAX_EVENTS), true),
                        // It learns of the end when it comes back and gets 204.
                        Transport::EventSource => (rest.len(), rest.is_empty() && !is_gap),
                        Transport::DurableSse | Transport::WebSocket => (rest.len(), true),
                    };
                    let expected: Vec<_> = rest[..count].iter().map(|(data, _)| data.clone()).collect();
                    prop_assert_eq!(&got.events, &expected, "{:?} from {}", transport, reader.offset);
                    prop_assert_eq!(got.is_over, model.closed && may_tell_the_end && count == rest.len(), "{:?} from {}", transport, reader.offset);

                    if let Some(offset) = got.offset {
                        reader.before = (offset != "-1").then_some((model.generation, from + count));
                        reader.offset = offset;
                    }
                }
            }
        }
    }
}

/// What a reader of a document knows: the edits up to its offset.
struct Copy {
    offset: String,
    edits: Vec<Value>,
}

impl Copy {
    fn take(&mut self, got: Got) {
        if got.gaps > 0 {
            self.edits.clear();
        }
        for event in got.events {
            if let Value::Array(all) = event {
                assert!(all.len() >= self.edits.len(), "a snapshot of less than the reader has");
                self.edits = all;
                continue;
            }
            let erased = event["erased"].as_str().map_or(0, |offset| parts(offset).1 as usize);
            if let Some(edit) = erased.checked_sub(1).and_then(|index| self.edits.get_mut(index)) {
                *edit = event.clone();
            }
            self.edits.push(event);
        }
        if let Some(offset) = got.offset {
            self.offset = offset;
        }
    }
}

#[derive(Clone, Debug)]
enum Edit {
    /// Edits of these lengths.
    Publish(Vec<usize>),
    /// One edit of a producer, sent twice.
    Repeat,
    /// The edit at this part of the document.
    Erase(usize),
    Read(usize, Transport),
    Wait(u64),
    Delete,
    /// An edit that no compaction takes.
    Spoil,
}

fn edit() -> impl Strategy<Value = Edit> {
    use Transport::{DurableSse, EventSource, LongPoll, Poll, WebSocket};
    let transport = prop::sample::select(vec![Poll, LongPoll, EventSource, DurableSse, WebSocket]);
    prop_oneof![
        8 => vec(1usize..10, 1..5).prop_map(Edit::Publish),
        3 => Just(Edit::Repeat),
        2 => (0usize..40).prop_map(Edit::Erase),
        12 => (0usize..3, transport).prop_map(|(reader, transport)| Edit::Read(reader, transport)),
        3 => (0u64..8_000).prop_map(Edit::Wait),
        1 => Just(Edit::Delete),
        1 => Just(Edit::Spoil),
    ]
}

/// The epoch and the number of the newest event.
fn tail(server: &mut Memory) -> (String, u64) {
    let head = server.fetch(&ask("HEAD", "", &[], ""));
    parts(&head.headers["stream-next-offset"])
}

/// The epoch and the number of an offset.
fn parts(offset: &str) -> (String, u64) {
    let (epoch, seq) = offset.split_once('_').unwrap();
    (epoch.into(), u64::from_str_radix(seq, 16).unwrap())
}

proptest! {
    /// Whoever has read to the tail, on any transport, has the whole document, whatever retention
    /// dropped and whatever was erased; the document alone is what the server can still answer.
    #[test]
    fn a_reader_has_every_edit_whatever_retention_dropped(edits in vec(edit(), 1..80)) {
        let limits = [("RETENTION_MAX_EVENTS", MAX_EVENTS as u64), ("RETENTION_MAX_AGE_S", MAX_AGE_MS / 1000), ("PAGE_MAX_EVENTS", PAGE_MAX_EVENTS as u64), ("SNAPSHOT_EVENTS", 4), ("SNAPSHOT_BYTES", 40)];
        let settings = Settings::read(|name| limits.iter().find(|(limit, _)| *limit == name).map(|(_, value)| value.to_string())).unwrap();
        let mut server = Memory::new::<Documents>(settings);
        let mut document: Vec<Value> = Vec::new();
        let mut readers = [(); 3].map(|()| Copy { offset: "-1".into(), edits: Vec::new() });
        let (mut published, mut touched_ms) = (0, server.now_ms);
        let json = [("content-type", "application/json")];

        for edit in edits {
            if !document.is_empty() && tail(&mut server).0 == "000000000000" {
                prop_assert!((server.now_ms - touched_ms) * 10 >= u64::from(LIFE_S) * 9_000);
                document.clear();
            }
            match edit {
                Edit::Wait(ms) => server.now_ms += ms,
                Edit::Publish(lengths) => {
                    let batch: Vec<Value> = lengths.iter().map(|length| {
                        published += 1;
                        format!("{published:0length$}").into()
                    }).collect();
                    let answer = server.fetch(&ask("POST", "", &json, &Value::from(batch.clone()).to_string()));
                    prop_assert_eq!(answer.status, 204);
                    document.extend(batch);
                    touched_ms = server.now_ms;
                }
                Edit::Repeat => {
                    published += 1;
                    let (text, id) = (Value::from(published.to_string()), published.to_string());
                    let headers = [json[0], ("producer-id", id.as_str()), ("producer-epoch", "0"), ("producer-seq", "0")];
                    for status in [200, 204] {
                        let answer = server.fetch(&ask("POST", "", &headers, &text.to_string()));
                        prop_assert_eq!(answer.status, status);
                    }
                    document.push(text);
                    touched_ms = server.now_ms;
                }
                Edit::Spoil => {
                    let answer = server.fetch(&ask("POST", "", &json, "false"));
                    prop_assert_eq!(answer.status, 204);
                    document.push(Value::Bool(false));
                    touched_ms = server.now_ms;
                }
                Edit::Erase(index) => {
                    let (epoch, _) = tail(&mut server);
                    let offset = format!("{epoch}_{:014x}", index + 1);
                    let status = server.fetch(&ask("DELETE", &format!("offset={offset}"), &[], "")).status;
                    prop_assert!(matches!(status, 204 | 400 | 404 | 501), "{status}");
                    let tombstone = serde_json::json!({ "erased": offset });
                    // A tombstone stays, also the one that notifies readers.
                    if status == 204 && document[index]["erased"].is_null() {
                        document[index] = tombstone.clone();
                        document.push(tombstone);
                    }
                }
                Edit::Delete => {
                    let status = server.fetch(&ask("DELETE", "", &[], "")).status;
                    prop_assert_eq!(status, if document.is_empty() { 404 } else { 204 });
                    document.clear();
                }
                Edit::Read(reader, transport) => {
                    let reader = &mut readers[reader];
                    let got = read(&mut server, transport, &reader.offset);
                    reader.take(got);
                    touched_ms = server.now_ms;
                    let (epoch, seq) = tail(&mut server);
                    if reader.offset == format!("{epoch}_{seq:014x}") && epoch != "000000000000" {
                        prop_assert_eq!(&reader.edits, &document, "{:?}", transport);
                    } else if epoch != "000000000000" {
                        // Only a page may end before the tail.
                        prop_assert!(matches!(transport, Transport::Poll | Transport::LongPoll), "{:?} ended at {}", transport, reader.offset);
                    }
                }
            }
        }
        // A newcomer, page by page.
        let mut newcomer = Copy { offset: "-1".into(), edits: Vec::new() };
        for _ in 0..=document.len() {
            let got = read(&mut server, Transport::Poll, &newcomer.offset);
            newcomer.take(got);
        }
        if tail(&mut server).0 != "000000000000" {
            prop_assert_eq!(newcomer.edits, document);
        }
    }
}
