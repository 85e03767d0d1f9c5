//! The shared vectors against the core, on the smallest adapter there is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod described;
mod documents;
mod memory;
mod sse_decoder;

use std::collections::{BTreeSet, HashMap};

use described::described;
use documents::Documents;
use memory::{Answer, Ask, Feed, Memory};
use proptest::prelude::*;
use serde_json::{Map, Value};
use sse_decoder::{Decoded, Decoder};
use tidewire_core::sse::{HEARTBEAT, encode_event};
use tidewire_core::{
    Channel, ChannelName, ClientFrame, CloseCode, ContentType, Creation, Event, Framing, Function,
    Gap, Grant, Identity, Moment, NameShape, Policy, Polling, Presence, ProducerState, Rate,
    Retention, Right, Rights, Settings, StreamLife, Turn, ack_frame, decide_publish, error_frame,
};

/// Like `functions/streams`.
struct Streams;

impl Function for Streams {
    const NAME: &'static str = "streams";
    const CHANNEL_NAMES: NameShape = NameShape::Path;

    fn policy(settings: &Settings) -> Policy {
        Policy {
            max_event_bytes: settings.max_body_bytes,
            ..Policy::new(Creation::OnPut, settings)
        }
    }

    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        Feed::authorize(identity, channel, settings)
    }
}

/// Like `functions/chat`, without its rules for a message.
struct Chat;

impl Function for Chat {
    const NAME: &'static str = "chat";

    fn policy(settings: &Settings) -> Policy {
        Policy {
            rate: Some(Rate { events: 10, per_ms: 10_000 }),
            presence: Some(Presence::from_settings(settings)),
            tombstone: Some(|offset| format!(r#"{{"type":"deleted","offset":"{offset}"}}"#).into()),
            ..Policy::new(Creation::OnPublish(ContentType::json()), settings)
        }
    }

    fn authorize(_: &Identity, _: &ChannelName, _: &Settings) -> Rights {
        Right::Read | Right::Publish | Right::Presence
    }
}

/// Like `functions/status`.
struct Status;

impl Function for Status {
    const NAME: &'static str = "status";

    fn policy(settings: &Settings) -> Policy {
        let policy = Feed::policy(settings);
        Policy {
            retention: Retention { max_events: 1, max_age_ms: u64::MAX, ..policy.retention },
            max_batch_events: 1,
            polling: Polling { retry_after_s: Some(5), ..Polling::default() },
            latest: None,
            ..policy
        }
    }

    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        Feed::authorize(identity, channel, settings)
    }
}

fn cases(file: &'static str, group: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(file).unwrap();
    let Value::Array(cases) = file[group].take() else { panic!("no group {group}") };
    let ids: BTreeSet<_> = cases.iter().map(|case| case["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), cases.len(), "an id stands twice in {group}");
    cases
}

fn text(value: &Value) -> Vec<u8> {
    match (value, value.get("hex")) {
        (Value::String(text), _) => text.clone().into(),
        (Value::Array(parts), _) => parts.iter().flat_map(text).collect(),
        (_, Some(hex)) => hex
            .as_str()
            .unwrap()
            .split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect(),
        _ => value["repeat"]
            .as_str()
            .unwrap()
            .repeat(value["times"].as_u64().unwrap() as usize)
            .into(),
    }
}

fn string(value: &Value) -> String {
    String::from_utf8(text(value)).unwrap()
}

/// Members that are not expected may be there too; in an array nothing may.
fn includes(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| actual.get(name).is_some_and(|found| includes(found, value))),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len()
                && actual.iter().zip(expected).all(|(a, e)| includes(a, e))
        }
        _ => actual == expected,
    }
}

#[test]
fn http() {
    let snapshots = cases(include_str!("../vectors/snapshots.json"), "cases");
    for case in cases(include_str!("../vectors/http.json"), "cases").into_iter().chain(snapshots) {
        let id = case["id"].as_str().unwrap();
        let settings =
            Settings::read(|name| case["settings"][name].as_str().map(Into::into)).unwrap();
        let mut server = match case["function"].as_str().unwrap() {
            "chat" => Memory::new::<Chat>(settings),
            "documents" => Memory::new::<Documents>(settings),
            "feed" => Memory::new::<Feed>(settings),
            "status" => Memory::new::<Status>(settings),
            _ => Memory::new::<Streams>(settings),
        };
        let mut saved = HashMap::from([
            ("name".to_owned(), "demo-vector".to_owned()),
            ("channel".to_owned(), "http://tidewire.test/demo-vector".to_owned()),
        ]);
        for (number, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            let filled = saved.iter().fold(step.to_string(), |step, (name, value)| {
                step.replace(&format!("{{{name}}}"), &value.replace('"', "\\\""))
            });
            let step: Value = serde_json::from_str(&filled).unwrap();
            server.now_ms += 1 + step["afterMs"].as_u64().unwrap_or(0);
            let ask = ask(&step["request"]);
            let answer = server.fetch(&ask);
            let outcome = check(&answer, step["expected"].as_object().unwrap())
                .and_then(|()| described(&ask, &answer));
            outcome.unwrap_or_else(|wrong| panic!("{id}, step {number}: {wrong}\n{answer:?}"));
            for (name, header) in step["save"].as_object().into_iter().flatten() {
                saved.insert(name.clone(), answer.headers[header.as_str().unwrap()].clone());
            }
        }
    }
}

fn ask(request: &Value) -> Ask {
    let word = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    Ask {
        method: word("method"),
        path: format!("/{}", request["path"].as_str().unwrap_or("demo-vector")),
        query: word("query"),
        headers: request["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), string(value)))
            .collect(),
        body: request.get("body").map(text).unwrap_or_default(),
        frames: request["frames"].as_array().into_iter().flatten().map(Value::to_string).collect(),
    }
}

fn check(answer: &Answer, expected: &Map<String, Value>) -> Result<(), String> {
    let shown = String::from_utf8_lossy(&answer.body);
    let json = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    for (name, value) in expected {
        let holds = match name.as_str() {
            "status" => value == answer.status,
            "headers" => value.as_object().unwrap().iter().all(|(name, value)| {
                match (answer.headers.get(name), value) {
                    (found, Value::Null) => found.is_none(),
                    (found, Value::String(value)) => found == Some(value),
                    (found, part) => found
                        .is_some_and(|found| found.contains(part["contains"].as_str().unwrap())),
                }
            }),
            "body" => answer.body == text(value),
            "bodyContains" => in_order(&shown, value),
            "json" => json == *value,
            "problem" => {
                let is_told = answer.headers["content-type"] == "application/problem+json"
                    && !json["detail"].as_str().unwrap().is_empty();
                is_told
                    && json["type"] == format!("urn:tidewire:{}", value.as_str().unwrap())
                    && json["status"] == answer.status
            }
            "earliest" => json["earliest"] == *value,
            "frames" => {
                let mut frames =
                    answer.frames.iter().map(|frame| serde_json::from_str::<Value>(frame).unwrap());
                value
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|expected| frames.any(|frame| includes(&frame, expected)))
            }
            "close" => answer.close.is_some_and(|code| value == code),
            other => panic!("the runner does not know {other:?}"),
        };
        if !holds {
            return Err(format!("{name} is not {value}"));
        }
    }
    Ok(())
}

fn in_order(text: &str, pieces: &Value) -> bool {
    let mut rest = text;
    pieces.as_array().unwrap().iter().all(|piece| match rest.split_once(piece.as_str().unwrap()) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn sse_encodes() {
    for case in cases(include_str!("../vectors/sse.json"), "encode") {
        let given = &case["given"];
        let mut out = String::new();
        // An event's name is a constant in the program; here it comes from a file.
        let event = given["event"].as_str().map(|name| &*name.to_owned().leak());
        encode_event(&mut out, given["id"].as_str(), event, &string(&given["data"]));
        assert_eq!(out, string(&case["expected"]["bytes"]), "{}", case["id"]);
    }
}

#[test]
fn sse_decodes() {
    for case in cases(include_str!("../vectors/sse.json"), "decode") {
        let mut decoder = Decoder::new();
        let chunks = case["given"]["chunks"].as_array().unwrap();
        let found: Vec<_> = chunks
            .iter()
            .flat_map(|chunk| decoder.push(&text(chunk)))
            .map(|event| (event.event, event.data, event.last_event_id))
            .collect();
        let events = case["expected"]["events"].as_array().unwrap();
        let expected: Vec<_> = events
            .iter()
            .map(|event| {
                (string(&event["event"]), string(&event["data"]), string(&event["lastEventId"]))
            })
            .collect();
        assert_eq!(found, expected, "{}", case["id"]);
        assert_eq!(decoder.retry_ms(), case["expected"]["retry"].as_u64(), "{}", case["id"]);
    }
}

fn channel(given: &Value) -> Channel {
    let number = |name: &str, default| given[name].as_u64().unwrap_or(default);
    let content_type = ContentType::parse(given["contentType"].as_str().unwrap()).unwrap();
    Channel {
        first: number("first", 1),
        tail: number("tail", 0),
        closed: given["closed"] == true,
        ..Channel::new(number("epoch", 0), content_type)
    }
}

fn events(given: &Value) -> (u64, Vec<Event>) {
    let after = given["after"].as_u64().unwrap();
    let data = given["events"].as_array().unwrap().iter().map(text);
    (after, (after + 1..).zip(data).map(|(seq, data)| Event { seq, data }).collect())
}

fn gap(given: &Value) -> Gap {
    let offset = |name: &str| given[name].as_str().unwrap().parse().unwrap();
    Gap { requested: offset("requested"), earliest: offset("earliest") }
}

#[test]
fn frames_of_events() {
    for case in cases(include_str!("../vectors/frames.json"), "events") {
        let (after, events) = events(&case["given"]);
        let frame =
            Framing::TidewireV1.batch(&channel(&case["given"]["channel"]), after, &events, 0);
        assert_eq!(frame, string(&case["expected"]["frame"]), "{}", case["id"]);
    }
}

#[test]
fn frames_of_clients() {
    let policy = Policy::new(Creation::OnPut, &Settings::default());
    let moment = Moment { now_ms: 0, entropy: 0, last_epoch: 0 };
    for case in cases(include_str!("../vectors/frames.json"), "publish") {
        let (id, expected) = (&case["id"], &case["expected"]);
        let channel = channel(&case["given"]["channel"]);
        let refused = match ClientFrame::parse(&string(&case["given"]["frame"])) {
            Err(error) => {
                serde_json::json!({"code": error.kind().code(), "closeCode": error.close_code().number()})
            }
            Ok(ClientFrame::Presence { .. }) => panic!("{id} publishes nothing"),
            Ok(ClientFrame::Ack { offset }) => {
                assert_eq!(offset.to_string(), string(&expected["acknowledged"]), "{id}");
                Value::Null
            }
            Ok(ClientFrame::Publish { id: name, data, producer }) => {
                let known = case["given"]["producer"].as_array().map(|known| ProducerState {
                    epoch: known[0].as_u64().unwrap(),
                    seq: known[1].as_u64().unwrap(),
                    ..ProducerState::default()
                });
                let mut tallies = policy.tallies(&Grant::default(), producer.as_ref());
                tallies.iter_mut().for_each(|tally| tally.known = known);
                let decided = decide_publish(
                    &data,
                    &Grant::default(),
                    producer.as_ref(),
                    Some(&channel),
                    &tallies,
                    &policy,
                    moment,
                );
                let answer = match &decided {
                    Err(error) => error_frame(Some(&name), error),
                    Ok(commit) => ack_frame(
                        &name,
                        commit.as_ref().map_or(&channel, |commit| &commit.channel).tail_offset(),
                    ),
                };
                let stored = decided
                    .as_ref()
                    .ok()
                    .and_then(Option::as_ref)
                    .map(|commit| commit.rows[0].event.data.clone());
                assert_eq!(stored, expected.get("stored").map(text), "{id}");
                if let Some(members) = expected.get("answerHas") {
                    assert!(
                        includes(&serde_json::from_str(&answer).unwrap(), members),
                        "{id}: {answer}"
                    );
                } else if decided.is_ok() {
                    assert_eq!(answer, string(&expected["answer"]), "{id}");
                }
                decided.err().map_or(
                    Value::Null,
                    |error| serde_json::json!({"code": error.kind().code(), "id": name}),
                )
            }
        };
        assert_eq!(refused, expected["error"], "{id}");
    }
}

#[test]
fn framing() {
    let names = [
        (Framing::TidewireV1, "tidewire.v1"),
        (Framing::EventSource, "event-source"),
        (Framing::DurableSse, "durable-sse"),
    ];
    // `News` never leaves the server, `Awareness` has no events, and `Yjs` has no text: their forms are
    // tested beside them.
    assert_eq!(names.len() + 3, Framing::ALL.len());
    for case in cases(include_str!("../vectors/framing.json"), "cases") {
        let given = &case["given"];
        let channel = channel(&given["channel"]);
        let number = |value: &Value| value.as_u64().unwrap();
        for (framing, name) in names {
            let sent = if let Some(greeting) = given.get("greeting") {
                framing.greeting(
                    &channel,
                    number(&greeting["after"]),
                    greeting.get("gap").map(gap),
                    number(&greeting["retryMs"]),
                    number(&greeting["entropy"]) as u32,
                    greeting["ackBytes"].as_u64(),
                )
            } else if let Some(told) = given.get("gap") {
                framing.gap(gap(told), number(&given["cursor"]))
            } else if let Some(batch) = given.get("batch") {
                let (after, events) = events(batch);
                Some(framing.batch(&channel, after, &events, number(&given["cursor"])))
            } else {
                let end = framing.end(&channel);
                assert_eq!(
                    serde_json::json!({"code": end.code.number(), "reason": end.reason}),
                    given["closing"]
                );
                Some(end.frame)
            };
            assert_eq!(
                sent.as_deref(),
                case["expected"][name].as_str(),
                "{} in {name}",
                case["id"]
            );
        }
    }
}

#[test]
fn a_reader_that_is_cut_off_before_its_first_event_knows_where_it_was() {
    let channel = Channel { first: 3, tail: 7, ..Channel::new(9, ContentType::json()) };
    let (here, lost) = (
        channel.offset(7).to_string(),
        Gap { requested: channel.offset(1), earliest: channel.offset(2) },
    );
    let decoded = |gap| {
        let mut decoder = Decoder::new();
        let mut opening = Framing::EventSource.greeting(&channel, 7, gap, 2_000, 0, None).unwrap();
        opening.extend(gap.and_then(|gap| Framing::EventSource.gap(gap, 0)));
        opening.push_str("data:x\n\n");
        decoder.push(opening.as_bytes())
    };
    // The first event that is dispatched tells which id was there before it.
    assert_eq!(
        decoded(None)[0],
        Decoded { event: "message".into(), data: "x".into(), last_event_id: here }
    );
    let told = decoded(Some(lost));
    assert_eq!(
        (told[0].event.as_str(), &told[0].last_event_id),
        ("gap", &lost.earliest.to_string())
    );
    assert!(
        !Framing::EventSource
            .greeting(&channel, 7, Some(lost), 2_000, 0, None)
            .unwrap()
            .contains("id:")
    );
}

fn encoded(id: &str, data: &str) -> String {
    let mut out = String::new();
    encode_event(&mut out, Some(id), None, data);
    out
}

proptest! {
    #[test]
    fn decodes_what_it_encodes_however_it_is_cut(texts in proptest::collection::vec("[ a:é\r\n\u{feff}💧]{0,12}", 1..5), cuts in proptest::collection::vec(1usize..7, 1..40)) {
        let stream: String = texts.iter().enumerate().map(|(n, text)| encoded(&n.to_string(), text) + HEARTBEAT).collect();
        let mut decoder = Decoder::new();
        let (mut found, mut rest, mut cuts) = (Vec::new(), stream.as_bytes(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            found.extend(decoder.push(chunk));
            rest = after;
        }
        let expected: Vec<_> = texts.iter().enumerate().map(|(n, text)| Decoded {
            event: "message".into(),
            data: text.replace("\r\n", "\n").replace('\r', "\n"),
            last_event_id: n.to_string(),
        }).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn stream_life() {
    for case in cases(include_str!("../vectors/stream-life.json"), "cases") {
        let id = &case["id"];
        let framing = if case["framing"] == "event-source" {
            Framing::EventSource
        } else {
            Framing::DurableSse
        };
        let settings =
            Settings::read(|name| case["settings"][name].as_str().map(Into::into)).unwrap();
        let mut life = StreamLife::new(
            framing,
            Grant { until_ms: case["untilMs"].as_u64(), ..Grant::default() },
            &settings,
            0,
        );
        for step in case["steps"].as_array().unwrap() {
            let now_ms = step["atMs"].as_u64().unwrap();
            for _ in 0..step["sent"].as_u64().unwrap_or(0) {
                life.sent(now_ms);
            }
            if let Some(code) = step["end"].as_u64() {
                life.end(CloseCode::of(code as u16).unwrap());
            }
            if let Some(heartbeat) = step.get("heartbeat") {
                assert_eq!(life.heartbeat(now_ms), heartbeat.as_str(), "{id} at {now_ms}");
            }
            if let Some(expected) = step.get("next") {
                let next = match life.next(&[], now_ms) {
                    Turn::Listen { for_ms } => serde_json::json!({ "listenMs": for_ms }),
                    Turn::Last(last) => serde_json::json!({ "last": last }),
                    Turn::Over => "over".into(),
                };
                assert_eq!(next, *expected, "{id} at {now_ms}");
            }
        }
        assert_eq!(case["endCode"], life.end_code().number(), "{id}");
    }
}
