//! A long poll that the Worker holds.
//!
//! An object without news sleeps; its socket delivers the answer later. This invocation holds
//! nothing else of the channel, so no request ever wakes another's.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tidewire_core::{CloseCode, Grant, Settings, news_reply, timed_out};
use worker::{Delay, Response, Result, WebSocket, WebsocketEvent};

use crate::clock::now_ms;
use crate::handover::Subscribed;
use crate::respond::{refuse, respond};

/// Waits for news at the position where the wait began; 204 at the deadline, or when the right to
/// read ends.
pub(crate) async fn wait(
    socket: WebSocket,
    subscribed: &Subscribed,
    grant: &Grant,
    settings: &Settings,
) -> Result<Response> {
    let right_ms = grant.until_ms.map_or(u64::MAX, |until_ms| until_ms.saturating_sub(now_ms()));
    let deadline = Duration::from_millis(settings.long_poll_ms.min(right_ms));
    let news = {
        let mut events = socket.events()?;
        socket.accept()?;
        match select(events.next(), Delay::from(deadline)).await {
            Either::Left((Some(Ok(WebsocketEvent::Message(message))), _)) => message.text(),
            // The deadline; or the object went away or the channel was deleted, which the client's
            // next request finds out.
            _ => None,
        }
    };
    // Already closed if the object ended it.
    let _ = socket.close(Some(CloseCode::Finished.number()), Some("poll-ended"));
    match news.map(|text| news_reply(&text, &subscribed.content_type, subscribed.cursor)) {
        Some(Ok(reply)) => respond(reply),
        Some(Err(error)) => refuse(&error),
        None => respond(timed_out(subscribed.offset, subscribed.cursor)),
    }
}
