//! The core's answers as the platform's.

use tidewire_core::{Error, ErrorKind, Reply, into_parts, problem};
use worker::{Headers, Response, ResponseBody, Result};

/// An answer of the core.
pub(crate) fn respond(reply: Reply) -> Result<Response> {
    let (status, headers, body) = into_parts(reply);
    let body = if body.is_empty() { ResponseBody::Empty } else { ResponseBody::Body(body) };
    Ok(Response::from_body(body)?.with_status(status).with_headers(headers.into_iter().collect::<Headers>()))
}

/// An error as problem details.
pub(crate) fn refuse(error: &Error) -> Result<Response> {
    respond(problem(error))
}

/// A fault of the platform or the store. Its cause goes to the log, not to the client.
pub(crate) fn internal(cause: &worker::Error) -> Error {
    worker::console_error!("{cause}");
    Error::new(ErrorKind::Internal, "the platform reported a fault; the log has the cause")
}
