//! The way of a request through its channel, and the transports that the Worker holds for a reader.

use futures_util::StreamExt;
use tidewire_core::{
    ChannelRequest, Error, Framing, LocalFuture, Operation, Settings, Trace, Transport, read_body,
};
use worker::{Request, Response, Result};

use crate::handover::{Handover, SWITCHING_PROTOCOLS, Subscribed};
use crate::placement::Body;
use crate::respond::internal;
use crate::{bridge, long_poll};

/// Longest body that is read at once, in bytes: that takes fewer calls than a stream. A longer one
/// would be in memory twice.
const MAX_AT_ONCE: u64 = 64 * 1024;

/// The body of a publish, if it must be read here: at most up to its limit. `None` hands it over as
/// it is.
async fn body(
    request: &mut Request,
    content_length: Option<u64>,
    asked: &ChannelRequest,
    settings: &Settings,
) -> Result<Option<Vec<u8>>, Error> {
    if !asked.operation.has_body() {
        return Ok(Some(Vec::new()));
    }
    let max_bytes = settings.max_body_bytes;
    if content_length.is_some_and(|length| length <= max_bytes.min(MAX_AT_ONCE)) {
        return Ok(None);
    }
    if request.inner().body().is_none() {
        return Ok(Some(Vec::new()));
    }
    let mut chunks = request.stream().map_err(Error::body_incomplete)?;
    read_body(max_bytes, async || chunks.next().await).await.map(Some)
}

/// Hands a request to a channel over with its body, and holds the stream or the long poll that
/// follows.
pub(crate) fn through_channel<'a>(
    request: &'a mut Request,
    content_length: Option<u64>,
    asked: ChannelRequest,
    trace: Option<&'a Trace>,
    handover: &'a Handover<'_>,
) -> LocalFuture<'a, Result<Response, Error>> {
    Box::pin(async move {
        let body = body(request, content_length, &asked, handover.settings).await?;
        let body = body.as_deref().map_or(Body::Of(request), Body::Bytes);
        let response = handover.send(&asked, body, trace).await?;
        answer_of_channel(asked, response, handover).await.map_err(|cause| internal(&cause))
    })
}

async fn answer_of_channel(
    asked: ChannelRequest,
    response: Response,
    handover: &Handover<'_>,
) -> Result<Response> {
    // Without a socket it is a complete answer: history, an error, the end.
    let (SWITCHING_PROTOCOLS, Operation::Read(read)) = (response.status_code(), asked.operation)
    else {
        return Ok(response);
    };
    if read.transport.is_socket() {
        // From here on client and object talk directly, without the Worker.
        return Ok(response);
    }
    let subscribed = Subscribed::read(response.headers())?;
    let socket = response
        .websocket()
        .ok_or_else(|| worker::Error::RustError("an upgrade without a socket".into()))?;
    match read.transport {
        Transport::EventSource => bridge::stream(
            socket,
            Framing::EventSource,
            &subscribed,
            &asked.grant,
            handover.settings,
        ),
        Transport::DurableSse => bridge::stream(
            socket,
            Framing::DurableSse,
            &subscribed,
            &asked.grant,
            handover.settings,
        ),
        Transport::Awareness => {
            bridge::stream(socket, Framing::Awareness, &subscribed, &asked.grant, handover.settings)
        }
        _ => long_poll::wait(socket, &subscribed, &asked.grant, handover.settings).await,
    }
}
