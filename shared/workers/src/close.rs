//! The end of a hibernating WebSocket.

use worker::WebSocket;

/// The object's part of a close handshake, to be played in its close event: the platform does not answer for a hibernating socket, and the client would wait
/// ten seconds for it and see 1006, while its connection stays open. With the code that came. To be called for each close, also those that the object began.
pub fn answer_close(socket: &WebSocket, code: u16) {
    // These three say on this side what happened (RFC 6455, section 7.4.1); none may be sent.
    let code = if matches!(code, 1005 | 1006 | 1015) { 1000 } else { code };
    // One that is closed on both sides already refuses, which is as good.
    let _ = socket.close(Some(code), None::<&str>);
}

/// Whether this side has closed it. What the client sent before it knew still arrives, and can be answered no more.
pub(crate) fn is_closing(socket: &WebSocket) -> bool {
    let socket: &web_sys::WebSocket = socket.as_ref();
    socket.ready_state() >= web_sys::WebSocket::CLOSING
}
