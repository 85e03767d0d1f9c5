//! The wire as types of TypeScript: `UPDATE_EXPECT=1 cargo test -p tidewire-core` writes
//! `shared/client/src/wire.ts`.
//!
//! The encoders write frames without these types, so a test parses their output with the types.

use std::path::absolute;

use expect_test::expect_file;
use serde::Deserialize;
use serde_json::{Map, Value};
use ts_rs::{Config, TS};

use crate::error::{Error, ErrorKind};
use crate::http::problem::Problem;
use crate::wire::error_frame;

/// A frame from the server. Ignore other types and other members: later servers may send them.
#[derive(Deserialize, TS)]
#[serde(
    tag = "type",
    rename_all = "lowercase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[ts(optional_fields)]
#[expect(dead_code, reason = "read by TypeScript")]
enum ServerFrame {
    /// First; `offset` is the position where this connection starts. `encoding` is `base64` for
    /// channels of bytes; `ackBytes` demands an `ack` after that many characters.
    Hello {
        protocol: String,
        offset: String,
        content_type: String,
        encoding: Option<String>,
        ack_bytes: Option<u64>,
    },
    /// A batch, in order; `upToDate` when nothing newer exists.
    Events { events: Vec<FrameEvent>, up_to_date: Option<bool> },
    /// The publish of this `id` is durable; `offset` is that of its event.
    Ack { id: String, offset: String },
    /// A publish (with its `id`) or a frame was refused; nothing of it was stored. The other
    /// members give a program the facts of `detail`.
    Error {
        id: Option<String>,
        code: String,
        status: u16,
        detail: String,
        retry_after_ms: Option<u64>,
        expected_seq: Option<u64>,
        epoch: Option<u64>,
    },
    /// Events that were asked for are gone; the events that follow begin after `earliest`.
    Gap { requested: String, earliest: String },
    /// The members: with `snapshot` all of them, else those that changed.
    Presence { snapshot: Option<bool>, members: Vec<PresentMember> },
    /// The channel is finished; close code 1000 follows.
    Closed { offset: String },
    /// The connection ends with this close code, which the platform may deliver late.
    Close { code: u16, reason: String },
}

/// A member of a channel; `state` is `null` if it left.
#[derive(Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by TypeScript")]
struct PresentMember {
    id: String,
    #[ts(type = "Record<string, unknown> | null")]
    state: Option<Map<String, Value>>,
}

/// An event in a frame.
#[derive(Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by TypeScript")]
struct FrameEvent {
    offset: String,
    /// The JSON value; a string on channels of text, base64 on channels of bytes.
    #[ts(type = "unknown")]
    data: Value,
}

/// A frame from a client.
#[derive(Deserialize, TS)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
#[ts(optional_fields)]
#[expect(dead_code, reason = "read by TypeScript")]
enum ClientFrame {
    /// Appends one event; `id` must have 1 to 64 bytes. The client chooses it, and `ack` or `error`
    /// returns it. With `producer` the event is stored once however often it is sent.
    Publish {
        id: String,
        #[ts(type = "unknown")]
        data: Value,
        producer: Option<FrameProducer>,
    },
    /// The client has received everything up to this offset.
    Ack { offset: String },
    /// This connection is the member `id`; `null` leaves.
    Presence {
        id: String,
        #[ts(type = "Record<string, unknown> | null")]
        state: Option<Map<String, Value>>,
    },
}

/// An idempotent producer, as in the `Producer-` headers.
#[derive(Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by TypeScript")]
struct FrameProducer {
    id: String,
    epoch: u64,
    seq: u64,
}

#[test]
fn the_client_has_these_types() {
    let types = [
        declaration::<Problem<'_>>(),
        declaration::<ServerFrame>(),
        declaration::<FrameEvent>(),
        declaration::<PresentMember>(),
        declaration::<ClientFrame>(),
        declaration::<FrameProducer>(),
    ];
    let file = format!(
        "// The wire, as PROTOCOL.md has it. Generated from shared/core/src/typescript.rs; do not edit.\n\n{}",
        types.join("\n")
    );
    expect_file![absolute("../client/src/wire.ts").unwrap()].assert_eq(&file);
}

fn declaration<T: TS>() -> String {
    let config = Config::new().with_large_int("number");
    format!("{}export {}\n", T::docs().unwrap_or_default(), T::decl(&config))
}

#[test]
fn every_frame_of_the_vectors_is_one_of_these() {
    for (file, group, member) in [
        (include_str!("../vectors/framing.json"), "cases", "tidewire.v1"),
        (include_str!("../vectors/frames.json"), "events", "frame"),
        (include_str!("../vectors/frames.json"), "publish", "answer"),
    ] {
        let file: Value = serde_json::from_str(file).unwrap();
        let frames: Vec<&str> = file[group]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|case| case["expected"][member].as_str())
            .filter(|frame| !frame.is_empty())
            .collect();
        assert!(!frames.is_empty(), "{group} has none");
        for frame in frames {
            serde_json::from_str::<ServerFrame>(frame)
                .unwrap_or_else(|error| panic!("{error}: {frame}"));
        }
    }
}

#[test]
fn every_refusal_is_an_error_frame() {
    for &kind in ErrorKind::ALL {
        for id in [None, Some("a")] {
            serde_json::from_str::<ServerFrame>(&error_frame(id, &Error::new(kind, "no"))).unwrap();
        }
    }
}

#[test]
fn what_a_client_may_send_is_taken() {
    for frame in [
        r#"{"type":"publish","id":"a","data":[1]}"#,
        r#"{"type":"publish","id":"a","data":[1],"producer":{"id":"p","epoch":0,"seq":0}}"#,
        r#"{"type":"ack","offset":"-1"}"#,
        r#"{"type":"presence","id":"m","state":{"name":"Ann"}}"#,
        r#"{"type":"presence","id":"m","state":null}"#,
    ] {
        serde_json::from_str::<ClientFrame>(frame).unwrap();
        crate::wire::ClientFrame::parse(frame).unwrap();
    }
}
