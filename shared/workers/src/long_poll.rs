//! A long poll that the Worker holds.
//!
//! An object without news sleeps; its socket delivers the answer later. This invocation holds
//! nothing else of the channel, so no request ever wakes another's.

use js_sys::Promise;
use js_sys::futures::JsFuture;
use tidewire_core::{CloseCode, Grant, Settings, news_reply, timed_out};
use wasm_bindgen::prelude::*;
use worker::{Response, Result, WebSocket};

use crate::clock::now_ms;
use crate::handover::Subscribed;
use crate::respond::{refuse, respond};

#[wasm_bindgen(inline_js = "
export function next_text(socket, for_ms, code, reason) {
    return new Promise((resolve) => {
        const end = (text) => {
            clearTimeout(timer);
            // Already closed if the object ended it.
            try { socket.close(code, reason); } catch {}
            resolve(text);
        };
        const timer = setTimeout(end, for_ms);
        socket.addEventListener('message', ({ data }) => end(data));
        socket.addEventListener('close', () => end());
        socket.addEventListener('error', () => end());
        // Listeners first: accepting starts the delivery of messages.
        socket.accept();
    });
}")]
extern "C" {
    /// The first message, or nothing after this time or once the socket has ended; closes the
    /// socket.
    #[wasm_bindgen(catch)]
    fn next_text(
        socket: &web_sys::WebSocket,
        for_ms: f64,
        code: u16,
        reason: &str,
    ) -> Result<Promise, JsValue>;
}

/// Waits for news at the position where the wait began; 204 at the deadline, or when the right to
/// read ends.
pub(crate) async fn wait(
    socket: WebSocket,
    subscribed: &Subscribed,
    grant: &Grant,
    settings: &Settings,
) -> Result<Response> {
    let right_ms = grant.until_ms.map_or(u64::MAX, |until_ms| until_ms.saturating_sub(now_ms()));
    let for_ms = settings.long_poll_ms.min(right_ms) as f64;
    let code = CloseCode::Finished.number();
    // Without text it is the deadline; or the object went away or the channel was deleted, which
    // the client's next request finds out.
    let news =
        JsFuture::from(next_text(socket.as_ref(), for_ms, code, "poll-ended")?).await?.as_string();
    match news.map(|text| news_reply(&text, &subscribed.content_type, subscribed.cursor)) {
        Some(Ok(reply)) => respond(reply),
        Some(Err(error)) => refuse(&error),
        None => respond(timed_out(subscribed.offset, subscribed.cursor)),
    }
}
