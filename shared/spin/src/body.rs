//! The body of a request.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use spin_sdk::wasip3::http::types::ErrorCode;
use tidewire_core::{Error, Result};

/// How many more bytes of a too large body are read, and dropped, before it is refused: the
/// platform closes the connection with the answer, and a client that is still writing would see a
/// broken pipe instead of 413.
const HEARD_OUT_BYTES: usize = 32 * 1024 * 1024;

/// The chunks of a body as they arrive.
pub(crate) type Body = Pin<Box<dyn Stream<Item = Result<Bytes, ErrorCode>>>>;

/// Reads a body, no further than it may be long.
pub(crate) async fn read_body(mut chunks: Body, longest: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(Error::body_incomplete)?);
        if bytes.len() as u64 > longest {
            let mut heard = 0;
            while heard < HEARD_OUT_BYTES
                && let Some(Ok(chunk)) = chunks.next().await
            {
                heard += chunk.len();
            }
            return Err(Error::body_too_large(longest));
        }
    }
    Ok(bytes)
}
