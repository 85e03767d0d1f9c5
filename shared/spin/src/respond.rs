//! The core's answers as the platform's.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::StreamExt;
use http::{Response, header};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use spin_sdk::http::IntoResponse;
use spin_sdk::wasip3::http::types;
use tidewire_core::{Error, ErrorKind, Reply, problem};

/// What a component's handler returns.
pub type Answer = Result<types::Response, types::ErrorCode>;

/// An answer of the core.
pub(crate) fn respond(mut reply: Reply) -> Answer {
    // The platform would send a body of known length in chunks.
    if !reply.body().is_empty() {
        let length = reply.body().len().into();
        reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
    reply.map(|body| Full::new(Bytes::from(body))).into_response()
}

/// An error as problem details.
pub(crate) fn refuse(error: &Error) -> Answer {
    respond(problem(error))
}

/// An answer whose body is pulled: the next chunk is made when the reader has taken the last one, and dropping it is the reader's departure.
pub(crate) fn stream(head: Reply, chunks: impl Stream<Item = String> + 'static) -> Answer {
    let frames = chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::from(chunk))));
    let (parts, _) = head.into_parts();
    Response::from_parts(parts, StreamBody::new(Box::pin(frames))).into_response()
}

/// A fault of the platform or the store. Its cause goes to the log, not to the client.
pub(crate) fn internal(cause: impl std::fmt::Display) -> Error {
    eprintln!("{cause}");
    Error::new(ErrorKind::Internal, "the platform reported a fault; the log has the cause")
}
