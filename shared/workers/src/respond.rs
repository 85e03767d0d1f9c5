//! Converts the core's answers to the platform's.

use tidewire_core::{Error, Reply, fault, header_joins, into_parts, problem};
use wasm_bindgen::prelude::*;
use worker::{Headers, Response, ResponseBody, Result};

use crate::handover::SWITCHING_PROTOCOLS;

#[wasm_bindgen(inline_js = "
export function headers_of(head) {
    const headers = new Headers();
    const lines = head.split('\\n');
    // Without one that the platform refuses.
    for (let at = 1; at < lines.length; at += 2) { try { headers.append(lines[at - 1], lines[at]); } catch {} }
    return headers;
}")]
extern "C" {
    fn headers_of(head: &str) -> web_sys::Headers;
}

/// Headers in one text, which crosses in one call: a value contains no line break.
pub(crate) fn joined(headers: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    let mut head = String::new();
    for (name, value) in headers {
        let separator = if head.is_empty() { "" } else { "\n" };
        head.extend([separator, name.as_ref(), "\n", value.as_ref()]);
    }
    head
}

/// The platform's headers.
pub(crate) fn make_headers(headers: &[(impl AsRef<str>, impl AsRef<str>)]) -> Headers {
    Headers(headers_of(&joined(headers)))
}

/// An answer of the core.
pub(crate) fn respond(reply: Reply) -> Result<Response> {
    let (status, headers, body) = into_parts(reply);
    let body = if body.is_empty() { ResponseBody::Empty } else { ResponseBody::Body(body) };
    Ok(Response::from_body(body)?.with_status(status).with_headers(make_headers(&headers)))
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
