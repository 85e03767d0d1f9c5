//! The answer to a request that fails: problem details (RFC 9457).

use http::StatusCode;
use http::header;
use serde::Serialize;

use super::headers::{Reply, reply, set};
use crate::error::{Error, ErrorKind};

/// Problem details (RFC 9457). The last part of `type` is the code to match on.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// The offset to resume from, of `offset-gone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    earliest: Option<String>,
}

/// The end of the object, with the member in which clients of the Yjs protocol of Durable Streams
/// look for a code.
fn of_document(error: &Error) -> String {
    let code = match error.kind() {
        ErrorKind::ChannelNotFound => "DOCUMENT_NOT_FOUND",
        ErrorKind::AwarenessNotFound => "STREAM_NOT_FOUND",
        ErrorKind::SnapshotNotFound => "SNAPSHOT_NOT_FOUND",
        ErrorKind::OffsetGone => "OFFSET_EXPIRED",
        _ if error.status_code().is_server_error() => "INTERNAL_ERROR",
        _ => "INVALID_REQUEST",
    };
    let message = serde_json::Value::from(error.detail());
    format!(r#","error":{{"code":"{code}","message":{message}}}}}"#)
}

/// An error as problem details (RFC 9457).
pub fn problem(error: &Error) -> Reply {
    let problem = Problem {
        r#type: format!("urn:tidewire:{}", error.kind().code()),
        title: error.kind().title(),
        status: error.status_code().as_u16(),
        detail: error.detail(),
        earliest: error.earliest().map(Into::into),
    };
    let mut body = serde_json::to_vec(&problem).unwrap_or_default();
    if error.is_of_document() && body.pop() == Some(b'}') {
        body.extend_from_slice(of_document(error).as_bytes());
    }
    let mut reply = reply(error.status_code(), body);
    set(&mut reply, header::CONTENT_TYPE, "application/problem+json");
    set(&mut reply, header::CACHE_CONTROL, "no-store");
    for (name, value) in error.headers() {
        set(&mut reply, name.clone(), value);
    }
    if let Some(wait_ms) = error.retry_after_ms() {
        set(&mut reply, header::RETRY_AFTER, &wait_ms.div_ceil(1000).to_string());
    }
    match error.status_code() {
        StatusCode::UNAUTHORIZED => set(&mut reply, header::WWW_AUTHENTICATE, "Bearer"),
        StatusCode::SERVICE_UNAVAILABLE => set(&mut reply, header::RETRY_AFTER, "5"),
        _ => {}
    }
    reply
}
