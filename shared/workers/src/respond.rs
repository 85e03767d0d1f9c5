//! Converts the core's answers to the platform's.

use tidewire_core::{Error, Reply, fault, header_joins, into_parts, problem};
use worker::{Headers, Response, ResponseBody, Result};

use crate::handover::SWITCHING_PROTOCOLS;

/// An answer of the core.
pub(crate) fn respond(reply: Reply) -> Result<Response> {
    let (status, headers, body) = into_parts(reply);
    let body = if body.is_empty() { ResponseBody::Empty } else { ResponseBody::Body(body) };
    Ok(Response::from_body(body)?
        .with_status(status)
        .with_headers(headers.into_iter().collect::<Headers>()))
}

/// An error as problem details.
pub(crate) fn refuse(error: &Error) -> Result<Response> {
    respond(problem(error))
}

/// The answer with additional headers.
pub(crate) fn with_headers(
    response: Response,
    more: &[(&'static str, String)],
) -> Result<Response> {
    // An upgrade accepts none, and no page reads its head.
    if more.is_empty() || response.status_code() == SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    // The headers of an object's answer cannot be changed.
    let headers = response.headers().clone();
    for (name, value) in more {
        if header_joins(name) { headers.append(name, value)? } else { headers.set(name, value)? }
    }
    Ok(response.with_headers(headers))
}

/// A fault of the platform or the store. Its cause goes to the log, not to the client.
pub(crate) fn internal(cause: &worker::Error) -> Error {
    worker::console_error!("{}", fault(None, cause));
    Error::platform_failed()
}
