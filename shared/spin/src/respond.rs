//! Converts the core's answers to the platform's.

use std::convert::Infallible;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::StreamExt;
use http::{HeaderName, HeaderValue, Response, header};
use http_body::{Body, Frame};
use http_body_util::{Full, StreamBody};
use spin_sdk::http::IntoResponse;
use spin_sdk::wasip3::http::types;
use tidewire_core::{Error, Reply, header_joins, problem};

use crate::complain::complain;
use crate::store::Fault;

/// What a component's handler returns.
pub type Answer = Result<types::Response, types::ErrorCode>;

/// An answer that is not yet sent.
pub(crate) type Outgoing = Response<Pin<Box<dyn Body<Data = Bytes, Error = Infallible>>>>;

/// Sends an answer with additional headers.
pub(crate) fn send(mut outgoing: Outgoing, more: Vec<(&'static str, String)>) -> Answer {
    for (name, value) in more {
        let (name, Ok(value)) = (HeaderName::from_static(name), HeaderValue::from_str(&value))
        else {
            continue;
        };
        if header_joins(name.as_str()) {
            outgoing.headers_mut().append(name, value);
        } else {
            outgoing.headers_mut().insert(name, value);
        }
    }
    outgoing.into_response()
}

/// An answer of the core.
pub(crate) fn respond(mut reply: Reply) -> Outgoing {
    // Otherwise the platform would send a body of known length in chunks.
    if !reply.body().is_empty() {
        let length = reply.body().len().into();
        reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
    reply.map(|body| Box::pin(Full::new(Bytes::from(body))) as _)
}

/// An error as problem details.
pub(crate) fn refuse(error: &Error) -> Outgoing {
    respond(problem(error))
}

/// An answer whose body is pulled: the next chunk is made when the reader has read the last one,
/// and the body is dropped when the reader leaves.
pub(crate) fn stream(head: Reply, chunks: impl Stream<Item = String> + 'static) -> Outgoing {
    let frames = chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::from(chunk))));
    let (parts, _) = head.into_parts();
    Response::from_parts(parts, Box::pin(StreamBody::new(frames)))
}

/// A fault of the platform or the store. Its cause goes to the log, not to the client.
pub(crate) fn internal(cause: impl std::fmt::Display) -> Error {
    complain(None, cause);
    Error::platform_failed()
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        let error = internal(&fault);
        if fault.is_unavailable { Error::store_unavailable() } else { error }
    }
}
