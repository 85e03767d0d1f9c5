//! The frames of `tidewire.v1`: JSON text over WebSocket. `PROTOCOL.md` has the list.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::channel::{Channel, Event, Gap, Offset};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ContentType;
use crate::publish::Producer;
use crate::request::SUBPROTOCOL;

/// Longest `id` of a publish, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 64;

/// A frame from a client.
#[derive(Debug)]
pub enum ClientFrame {
    /// Append one event.
    Publish {
        /// The id that the client chose for this publish, returned in the answer.
        id: String,
        /// The event.
        data: Box<RawValue>,
        /// The producer and its number, so that a repeated publish is stored once.
        producer: Option<Producer>,
    },
    /// The reader has received everything up to here.
    Ack {
        /// The offset of the newest event that it has.
        offset: Offset,
    },
    /// Sets this client's presence, for [`Member::new`](crate::Member::new).
    Presence {
        /// The member's id.
        id: String,
        /// Its state, or `null`.
        state: Box<RawValue>,
    },
}

impl ClientFrame {
    /// Reads a frame. Unknown members are ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FrameInvalid`]: the connection must end, because client and server disagree about the protocol.
    pub fn parse(text: &str) -> Result<ClientFrame> {
        #[derive(Deserialize)]
        struct Wire {
            r#type: String,
            id: Option<String>,
            // `Option` alone would read `null`, which is an ordinary event, as no event.
            #[serde(default, deserialize_with = "given")]
            data: Option<Box<RawValue>>,
            #[serde(default, deserialize_with = "given")]
            state: Option<Box<RawValue>>,
            producer: Option<Producer>,
            offset: Option<String>,
        }
        let invalid = |why: String| Error::new(ErrorKind::FrameInvalid, why);
        let wire: Wire = serde_json::from_str(text)
            .map_err(|error| invalid(format!("not a frame of {SUBPROTOCOL}: {error}")))?;
        if wire.r#type == "presence" {
            let (id, state) = wire
                .id
                .zip(wire.state)
                .ok_or_else(|| invalid("a presence frame must have an id and a state".into()))?;
            return Ok(ClientFrame::Presence { id, state });
        }
        if wire.r#type == "ack" {
            let offset = wire.offset.ok_or_else(|| invalid("an ack must have an offset".into()))?;
            return Ok(ClientFrame::Ack {
                offset: offset.parse().map_err(|error: Error| invalid(error.detail().into()))?,
            });
        }
        if wire.r#type != "publish" {
            let shown: String = wire.r#type.chars().take(40).collect();
            return Err(invalid(format!(
                "frame type {shown:?} is unknown: send publish, presence or ack"
            )));
        }
        let id = wire.id.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len())).ok_or_else(|| {
            invalid(format!("a publish must have an id of 1 to {MAX_ID_BYTES} bytes"))
        })?;
        let data = wire.data.ok_or_else(|| invalid("a publish must have data".into()))?;
        let producer = wire
            .producer
            .map(Producer::validated)
            .transpose()
            .map_err(|error| invalid(error.detail().into()))?;
        Ok(ClientFrame::Publish { id, data, producer })
    }
}

fn given<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// The bytes to store for the `data` of a publish.
pub(crate) fn event_data(data: &RawValue, content_type: &ContentType) -> Result<Vec<u8>> {
    if content_type.is_json() {
        return Ok(data.get().into());
    }
    let text: String = serde_json::from_str(data.get()).map_err(|_| {
        Error::new(
            ErrorKind::FrameInvalid,
            format!("data must be a string in a channel of {}", content_type.as_str()),
        )
    })?;
    if content_type.is_text() {
        return Ok(text.into());
    }
    BASE64_STANDARD.decode(text).map_err(|error| {
        Error::new(ErrorKind::FrameInvalid, format!("data must be base64: {error}"))
    })
}

/// `hello`; `ack_bytes` for a reader that must acknowledge.
pub(crate) fn hello(channel: &Channel, after: u64, ack_bytes: Option<u64>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Hello<'a> {
        r#type: &'static str,
        protocol: &'static str,
        offset: String,
        content_type: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        encoding: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ack_bytes: Option<u64>,
    }
    encode(&Hello {
        r#type: "hello",
        protocol: SUBPROTOCOL,
        offset: channel.offset(after).to_string(),
        content_type: channel.content_type.as_str(),
        encoding: (!channel.content_type.is_text()).then_some("base64"),
        ack_bytes,
    })
}

/// `events`. Written by hand: the data of a JSON channel is JSON already and is not parsed again.
pub(crate) fn events(channel: &Channel, events: &[Event], is_up_to_date: bool) -> String {
    let size: usize = events.iter().map(|event| event.data.len() * 4 / 3 + 64).sum();
    let mut out = String::with_capacity(size + 64);
    out.push_str(r#"{"type":"events","events":["#);
    for (index, event) in events.iter().enumerate() {
        out.push_str(if index > 0 { r#",{"offset":""# } else { r#"{"offset":""# });
        out.push_str(&channel.offset(event.seq).to_string());
        out.push_str(r#"","data":"#);
        if channel.content_type.is_json() {
            out.push_str(&String::from_utf8_lossy(&event.data));
        } else if channel.content_type.is_text() {
            out.push_str(&encode(&String::from_utf8_lossy(&event.data)));
        } else {
            out.push('"');
            BASE64_STANDARD.encode_string(&event.data, &mut out);
            out.push('"');
        }
        out.push('}');
    }
    out.push(']');
    if is_up_to_date {
        out.push_str(r#","upToDate":true"#);
    }
    out.push('}');
    out
}

/// `gap`.
pub(crate) fn gap(gap: Gap) -> String {
    format!(r#"{{"type":"gap","requested":"{}","earliest":"{}"}}"#, gap.requested, gap.earliest)
}

/// `closed`.
pub(crate) fn closed(offset: Offset) -> String {
    format!(r#"{{"type":"closed","offset":"{offset}"}}"#)
}

/// `close`: announces the close code with which the connection ends, because a platform may take
/// seconds to close it.
pub(crate) fn close_frame(code: u16, reason: &'static str) -> String {
    #[derive(Serialize)]
    struct Close {
        r#type: &'static str,
        code: u16,
        reason: &'static str,
    }
    encode(&Close { r#type: "close", code, reason })
}

/// `ack`.
pub fn ack_frame(id: &str, offset: Offset) -> String {
    #[derive(Serialize)]
    struct Ack<'a> {
        r#type: &'static str,
        id: &'a str,
        offset: String,
    }
    encode(&Ack { r#type: "ack", id, offset: offset.to_string() })
}

/// `error`, of a publish (with its `id`) or of the connection.
pub fn error_frame(id: Option<&str>, error: &Error) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Refusal<'a> {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        code: &'static str,
        status: u16,
        detail: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expected_seq: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
    }
    // The facts that HTTP returns in headers.
    let number = |header| {
        error.headers().find(|(name, _)| *name == header).and_then(|(_, value)| value.parse().ok())
    };
    encode(&Refusal {
        r#type: "error",
        id,
        code: error.kind().code(),
        status: error.status_code().as_u16(),
        detail: error.detail(),
        retry_after_ms: error.retry_after_ms(),
        expected_seq: number("producer-expected-seq"),
        epoch: number("producer-epoch"),
    })
}

fn encode(value: &impl Serialize) -> String {
    // Strings and numbers only: serializing them cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_frame() {
        for bad in [
            "",
            "{",
            "[]",
            "1",
            r#"{"type":1}"#,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"publish","data":1}"#,
            r#"{"type":"publish","id":"","data":1}"#,
            r#"{"type":"publish","id":"a"}"#,
            r#"{"type":"publish","id":"a","data":}"#,
            r#"{"type":"presence","id":"a"}"#,
            r#"{"type":"presence","state":{}}"#,
            r#"{"type":"publish","id":"a","data":1,"producer":{"id":"p","epoch":0}}"#,
            r#"{"type":"publish","id":"a","data":1,"producer":{"id":"","epoch":0,"seq":0}}"#,
            r#"{"type":"publish","id":"a","data":1,"producer":{"id":"p","epoch":0,"seq":9007199254740992}}"#,
            r#"{"type":"ack"}"#,
            r#"{"type":"ack","offset":"now"}"#,
        ] {
            assert_eq!(
                ClientFrame::parse(bad).unwrap_err().kind(),
                ErrorKind::FrameInvalid,
                "{bad}"
            );
        }
    }

    #[test]
    fn ignores_members_it_does_not_know() {
        let publish = r#"{"type":"publish","ch":"x","id":"a","data":{"b": 1},"new":[]}"#;
        let Ok(ClientFrame::Publish { id, data, producer: None }) = ClientFrame::parse(publish)
        else {
            panic!("refused")
        };
        assert_eq!((id.as_str(), data.get()), ("a", r#"{"b": 1}"#));
    }

    #[test]
    fn null_is_a_state_like_any_other() {
        let Ok(ClientFrame::Presence { id, state }) =
            ClientFrame::parse(r#"{"type":"presence","id":"a","state":null}"#)
        else {
            panic!("refused")
        };
        assert_eq!((id.as_str(), state.get()), ("a", "null"));
    }

    #[test]
    fn takes_null_for_an_event() {
        let Ok(ClientFrame::Publish { data, .. }) =
            ClientFrame::parse(r#"{"type":"publish","id":"a","data":null}"#)
        else {
            panic!("refused")
        };
        assert_eq!(data.get(), "null");
    }
}
