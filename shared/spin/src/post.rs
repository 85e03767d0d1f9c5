//! A request of our own, to a server that may be slow or gone.

use std::pin::pin;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use http_body_util::Full;
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::wasip3::clocks::monotonic_clock;
use tidewire_core::{PushAnswer, PushPost};

use crate::complain::complain;

/// Sends a request, and reads at most so many bytes of the answer; `None` without an answer within
/// the time. Redirects are answers like any other.
pub(crate) async fn post(
    request: PushPost,
    timeout_ms: u64,
    max_bytes: usize,
) -> Option<PushAnswer> {
    let sent = pin!(send(request, max_bytes));
    let late = pin!(monotonic_clock::wait_for(timeout_ms * 1_000_000));
    match select(sent, late).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => None,
    }
}

async fn send(request: PushPost, max_bytes: usize) -> Option<PushAnswer> {
    let mut head = http::Request::post(&request.url);
    for (name, value) in &request.headers {
        head = head.header(*name, value);
    }
    let request = head.body(Full::new(Bytes::from(request.body))).ok()?;
    let response = match spin_sdk::http::send(request).await {
        Ok(response) => response,
        Err(cause) => {
            // The cause names no address.
            let why = format!(
                "a push service is unavailable: {cause:?}; `allowed_outbound_hosts` must list it"
            );
            complain(None, why);
            return None;
        }
    };
    let status = response.status().as_u16();
    let headers = response.headers().iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers = headers.collect();
    let mut chunks = response.into_body().stream();
    let mut body = Vec::new();
    while body.len() < max_bytes
        && let Some(Ok(chunk)) = chunks.next().await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(max_bytes);
    Some(PushAnswer { status, headers, body })
}
