//! The refusal of an upgrade.

use tidewire_core::{Error, Framing, MessageOutcome, SUBPROTOCOL, error_frame};
use worker::{Headers, Response, Result, WebSocketPair};

/// Accepts, sends the error, and closes: a browser cannot read the status of a failed upgrade.
pub(crate) fn refuse_upgrade(
    error: &Error,
    framing: Framing,
    offers_subprotocol: bool,
) -> Result<Response> {
    let pair = WebSocketPair::new()?;
    pair.server.accept()?;
    let (code, reason) = if framing == Framing::Yjs {
        let refused = MessageOutcome::refused(error);
        for message in refused.messages {
            pair.server.send_with_bytes(message)?;
        }
        refused.end.unwrap_or((error.close_code(), error.close_reason()))
    } else {
        pair.server.send_with_str(error_frame(None, error))?;
        (error.close_code(), error.close_reason())
    };
    pair.server.close(Some(framing.close_number(code)), Some(reason))?;
    upgraded(pair.client, offers_subprotocol, Headers::new())
}

/// The answer to an upgrade.
pub(crate) fn upgraded(
    client: worker::WebSocket,
    offers_subprotocol: bool,
    headers: Headers,
) -> Result<Response> {
    if offers_subprotocol {
        headers.set("sec-websocket-protocol", SUBPROTOCOL)?;
    }
    Ok(Response::from_websocket(client)?.with_headers(headers))
}
