//! The body of a request.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use spin_sdk::wasip3::http::types::ErrorCode;
use tidewire_core::{ErrorKind, Result};

/// How many more bytes of a too large body are read, and dropped, before it is refused: the
/// platform closes the connection with the answer, and a client that is still writing would see a
/// broken pipe instead of 413.
const HEARD_OUT_BYTES: usize = 32 * 1024 * 1024;

/// The chunks of a body as they arrive.
pub(crate) type Body = Pin<Box<dyn Stream<Item = Result<Bytes, ErrorCode>>>>;

/// Reads a body of at most `max_bytes`.
pub(crate) async fn read_body(mut chunks: Body, max_bytes: u64) -> Result<Vec<u8>> {
    let body = tidewire_core::read_body(max_bytes, async || chunks.next().await).await;
    if matches!(&body, Err(error) if error.kind() == ErrorKind::BodyTooLarge) {
        let mut heard = 0;
        while heard < HEARD_OUT_BYTES
            && let Some(Ok(chunk)) = chunks.next().await
        {
            heard += chunk.len();
        }
    }
    body
}
