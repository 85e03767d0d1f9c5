//! The end of a hibernating WebSocket.

use std::time::Duration;

use tidewire_core::CloseCode;
use worker::{Delay, WebSocket};

/// How long the answer to a close waits. workerd drops an answer that meets the first frames of its
/// connection, and a client that leaves right after it connected would see 1006: at 10 ms some do,
/// at 100 ms none.
const ANSWER_DELAY: Duration = Duration::from_millis(100);

/// The object's part of a close handshake, for its close event: the platform does not answer for a
/// hibernating socket, and the client would wait ten seconds and see 1006, while its connection
/// stays open. Answers with the client's code. Must be called for each close, including those that
/// the object began.
pub async fn answer_close(socket: &WebSocket, code: u16) {
    if state(socket) == web_sys::WebSocket::CLOSED {
        return;
    }
    Delay::from(ANSWER_DELAY).await;
    // The platform refuses a code that no server may send, and a socket that has gone in the
    // meantime; both are fine.
    if socket.close(Some(CloseCode::answer(code)), None::<&str>).is_err() {
        let _ = socket.close(Some(CloseCode::Finished.number()), None::<&str>);
    }
}

/// Whether this side has closed it. Frames that the client sent earlier still arrive, and cannot be
/// answered any more.
pub(crate) fn is_closing(socket: &WebSocket) -> bool {
    state(socket) >= web_sys::WebSocket::CLOSING
}

fn state(socket: &WebSocket) -> u16 {
    let socket: &web_sys::WebSocket = socket.as_ref();
    socket.ready_state()
}
