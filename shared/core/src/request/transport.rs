//! The transport of a request.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::http::RequestHead;
use crate::http::fields::{list, named};

/// The subprotocol with our own frames.
pub const SUBPROTOCOL: &str = "tidewire.v1";

/// Whether a client that opens a WebSocket offers [`SUBPROTOCOL`].
pub(crate) fn offers_subprotocol(head: &RequestHead<'_>) -> bool {
    let offered = head.header("sec-websocket-protocol");
    offered.is_some_and(|offered| list(&offered).any(|name| name == SUBPROTOCOL))
}

/// How events reach a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// One answer with the stored events: catch-up read, short poll.
    Poll,
    /// One answer with the stored events, or with the next events within the waiting time.
    LongPoll,
    /// SSE in the framing of Durable Streams.
    DurableSse,
    /// SSE for a native `EventSource`.
    EventSource,
    /// `tidewire.v1`.
    WebSocket,
    /// SSE with the awareness of a document.
    Awareness,
    /// WebSocket of a document, as clients of `y-websocket` use it.
    Yjs,
}

impl Transport {
    /// `Upgrade`, then `live=`, then `Accept: text/event-stream`, else a poll.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LiveUnknown`].
    pub fn choose(
        upgrade: Option<&str>,
        live: Option<&str>,
        accept: Option<&str>,
    ) -> Result<Transport> {
        if Transport::is_upgrade(upgrade) {
            return Ok(Transport::WebSocket);
        }
        match live {
            Some("sse") => return Ok(Transport::DurableSse),
            Some("long-poll") => return Ok(Transport::LongPoll),
            Some(other) => {
                let shown: String = other.chars().take(40).collect();
                return Err(Error::new(
                    ErrorKind::LiveUnknown,
                    format!("`live` must be `sse` or `long-poll`, got {shown:?}"),
                ));
            }
            None => {}
        }
        let event_stream = accept
            .and_then(|value| named(value, "text/event-stream"))
            .is_some_and(|weight| weight > 0.0);
        Ok(if event_stream { Transport::EventSource } else { Transport::Poll })
    }

    /// The transport of a request, even if the request is otherwise invalid.
    pub(crate) fn of(head: &RequestHead<'_>) -> Result<Transport> {
        let live = form_urlencoded::parse(head.query.as_bytes())
            .find(|(name, _)| name == "live")
            .map(|(_, value)| value);
        Transport::choose(
            head.header("upgrade").as_deref(),
            live.as_deref(),
            head.header("accept").as_deref(),
        )
    }

    /// Its name in logs and figures.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Poll => "poll",
            Transport::LongPoll => "long-poll",
            Transport::DurableSse => "durable-sse",
            Transport::EventSource => "event-source",
            Transport::WebSocket => "websocket",
            Transport::Awareness => "awareness",
            Transport::Yjs => "y-websocket",
        }
    }

    /// Whether the value of `Upgrade` asks for a WebSocket.
    pub fn is_upgrade(upgrade: Option<&str>) -> bool {
        upgrade.is_some_and(|value| {
            list(value).any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
        })
    }

    /// Whether it is a WebSocket between the client and its channel.
    pub fn is_socket(self) -> bool {
        matches!(self, Transport::WebSocket | Transport::Yjs)
    }

    /// Whether Durable Streams demands a start position for it.
    pub fn needs_start(self) -> bool {
        matches!(self, Transport::LongPoll | Transport::DurableSse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrade_beats_live_beats_accept_beats_plain() {
        let stream = Some("text/event-stream");
        assert_eq!(
            Transport::choose(Some("websocket"), Some("?"), stream).unwrap(),
            Transport::WebSocket
        );
        assert_eq!(
            Transport::choose(None, Some("long-poll"), stream).unwrap(),
            Transport::LongPoll
        );
        assert_eq!(
            Transport::choose(Some("h2c"), Some("sse"), None).unwrap(),
            Transport::DurableSse
        );
        assert_eq!(Transport::choose(None, None, stream).unwrap(), Transport::EventSource);
        assert_eq!(Transport::choose(None, None, None).unwrap(), Transport::Poll);
    }

    #[test]
    fn reads_lists_without_regard_to_case() {
        assert_eq!(
            Transport::choose(Some("h2c, WebSocket"), None, None).unwrap(),
            Transport::WebSocket
        );
        for accept in [
            "Text/Event-Stream",
            "text/html, text/event-stream;q=0.5",
            "text/event-stream; charset=utf-8",
        ] {
            assert_eq!(
                Transport::choose(None, None, Some(accept)).unwrap(),
                Transport::EventSource,
                "{accept}"
            );
        }
        for accept in [
            "*/*",
            "text/*",
            "text/event-streams",
            "application/json",
            "text/event-stream;q=0",
            "a/b;c=\", text/event-stream,\"",
        ] {
            assert_eq!(
                Transport::choose(None, None, Some(accept)).unwrap(),
                Transport::Poll,
                "{accept}"
            );
        }
    }

    #[test]
    fn refuses_a_live_mode_that_it_does_not_know() {
        for live in ["", "SSE", "websocket"] {
            assert_eq!(
                Transport::choose(None, Some(live), None).unwrap_err().kind(),
                ErrorKind::LiveUnknown,
                "{live:?}"
            );
        }
    }
}
