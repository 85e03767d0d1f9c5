//! A request of the object's own, to a server that may be slow or gone.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tidewire_core::{PushAnswer, PushPost};
use wasm_bindgen::prelude::*;
use worker::{AbortController, AbortSignal, Delay, Fetch, Headers, Result};

use crate::outgoing;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);
}

/// Random bytes from a cryptographic source.
pub(crate) fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    fill_random(&mut bytes);
    bytes
}

/// Sends a request, and reads at most so many bytes of the answer; `None` without an answer within
/// the time. Redirects are answers like any other.
pub(crate) async fn post(
    request: PushPost,
    timeout_ms: u64,
    max_bytes: usize,
) -> Option<PushAnswer> {
    let controller = AbortController::default();
    let sent = pin!(send(request, controller.signal(), max_bytes));
    let late = pin!(Delay::from(Duration::from_millis(timeout_ms)));
    match select(sent, late).await {
        Either::Left((answer, _)) => answer.ok(),
        Either::Right(_) => {
            // The platform would continue it.
            controller.abort();
            None
        }
    }
}

async fn send(request: PushPost, signal: AbortSignal, max_bytes: usize) -> Result<PushAnswer> {
    let headers = Headers::new();
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    let request = outgoing::request(&request.url, &headers, Some(&request.body))?;
    let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
    let headers = response.headers().entries().collect();
    let mut body = Vec::new();
    // A status that allows no body has none.
    if let Ok(mut chunks) = response.stream() {
        while body.len() < max_bytes
            && let Some(chunk) = chunks.next().await
        {
            body.extend(chunk?);
        }
        body.truncate(max_bytes);
    }
    Ok(PushAnswer { status: response.status_code(), headers, body })
}
