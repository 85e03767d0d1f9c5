//! A long poll that the Worker holds.
//!
//! The object has no news and sleeps; its socket tells when there is some, and the Worker then reads. Nothing else of the channel is in this
//! invocation, so no request ever wakes another's.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tidewire_core::{ChannelName, Offset, Operation, Read, Request, Settings, Start, timed_out};
use worker::{Delay, Response, Result, WebSocket, WebsocketEvent};

use crate::handover::{Handover, Kept, SWITCHING_PROTOCOLS};
use crate::respond::respond;

/// Waits for news, then reads after the position at which the wait began; 204 at the deadline.
pub(crate) async fn wait(
    socket: WebSocket,
    kept: &Kept,
    (channel, read): (ChannelName, Read),
    handover: &Handover<'_>,
    settings: &Settings,
) -> Result<Response> {
    let has_news = {
        let mut events = socket.events()?;
        socket.accept()?;
        match select(events.next(), Delay::from(Duration::from_millis(settings.long_poll_ms))).await {
            Either::Left((Some(Ok(WebsocketEvent::Message(_))), _)) => true,
            // The object went away, with or without news: what it left is in the store.
            Either::Left(_) => true,
            Either::Right(_) => false,
        }
    };
    // Closed already when the object ended it.
    let _ = socket.close(Some(1000), Some("poll-ended"));
    if !has_news {
        return respond(timed_out(kept.offset, kept.cursor));
    }
    // `now` was resolved when the wait began.
    let start = if kept.offset == Offset::BEGINNING { Start::Beginning } else { Start::After(kept.offset) };
    let again = Request { channel, operation: Operation::Read(Read { start, ..read }) };
    let response = handover.send(&again, Vec::new()).await?;
    if response.status_code() != SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    // News that was no event: an empty answer sends the client back.
    if let Some(socket) = response.websocket() {
        socket.accept()?;
        socket.close(Some(1000), Some("poll-ended"))?;
    }
    respond(timed_out(kept.offset, kept.cursor))
}
