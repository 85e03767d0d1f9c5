//! The refusal of an upgrade.

use tidewire_core::fields::list;
use tidewire_core::{Error, SUBPROTOCOL, error_frame};
use worker::{Headers, Response, Result, WebSocketPair};

/// Accepts, sends the error, and closes: a browser cannot read the status of a failed upgrade.
pub(crate) fn refuse_upgrade(error: &Error, offers_subprotocol: bool) -> Result<Response> {
    let pair = WebSocketPair::new()?;
    pair.server.accept()?;
    pair.server.send_with_str(error_frame(None, error))?;
    pair.server.close(Some(error.close_code().number()), Some(error.close_reason()))?;
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

/// Whether the client offers our subprotocol.
pub(crate) fn offers_subprotocol(headers: &Headers) -> Result<bool> {
    let offered = headers.get("sec-websocket-protocol")?;
    Ok(offered.is_some_and(|offered| list(&offered).any(|name| name == SUBPROTOCOL)))
}
