//! The wire as types of TypeScript: `shared/client/src/wire.ts`, written anew by `UPDATE_EXPECT=1 cargo test -p tidewire-core`.
//!
//! The encoders write frames without going through a type, so these types are checked against what they write.

use std::path::absolute;

use expect_test::expect_file;
use serde::Deserialize;
use serde_json::{Map, Value};
use ts_rs::{Config, TS};

use crate::error::{Error, ErrorKind};
use crate::http::problem::Problem;
use crate::wire::error_frame;

/// A frame from the server. There may be other types, and other members of these: ignore what you do not know.
#[derive(Deserialize, TS)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[ts(optional_fields)]
#[expect(dead_code, reason = "read by TypeScript")]
enum ServerFrame {
    /// First; `offset` is where this connection reads on from. `encoding` is `base64` for channels of bytes; `ackBytes` asks for an `ack` after so many characters.
    Hello { protocol: String, offset: String, content_type: String, encoding: Option<String>, ack_bytes: Option<u64> },
    /// A batch, in order; `upToDate` when nothing newer exists.
    Events { events: Vec<FrameEvent>, up_to_date: Option<bool> },
    /// The publish of this `id` is durable; `offset` is that of its event.
    Ack { id: String, offset: String },
    /// A publish (with its `id`) or a frame was refused; nothing of it was stored. The rest tells a program what `detail` tells people.
    Error { id: Option<String>, code: String, status: u16, detail: String, retry_after_ms: Option<u64>, expected_seq: Option<u64>, epoch: Option<u64> },
    /// The past that was asked for is gone; what follows begins after `earliest`.
    Gap { requested: String, earliest: String },
    /// Who is present: with `snapshot` all of them, else those that changed.
    Presence { snapshot: Option<bool>, members: Vec<PresentMember> },
    /// The channel is finished; close code 1000 follows.
    Closed { offset: String },
    /// The connection is at its end, with this close code, which the platform may be slow to bring.
    Close { code: u16, reason: String },
}

/// A member of a channel; `state` is `null` for one that left.
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
    /// Appends one event; `id` has 1 to 64 bytes, is the client's own and comes back in `ack` or `error`. With `producer` it is stored once however often it is sent.
    Publish {
        id: String,
        #[ts(type = "unknown")]
        data: Value,
        producer: Option<FrameProducer>,
    },
    /// Everything up to this offset has come.
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
    let file = format!("// The wire, as PROTOCOL.md has it. Generated from shared/core/src/typescript.rs; do not edit.\n\n{}", types.join("\n"));
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
        let frames: Vec<&str> =
            file[group].as_array().unwrap().iter().filter_map(|case| case["expected"][member].as_str()).filter(|frame| !frame.is_empty()).collect();
        assert!(!frames.is_empty(), "{group} has none");
        for frame in frames {
            serde_json::from_str::<ServerFrame>(frame).unwrap_or_else(|error| panic!("{error}: {frame}"));
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
