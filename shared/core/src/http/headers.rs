//! Headers that answers share.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use super::content_type::ContentType;

/// A whole answer.
pub type Reply = Response<Vec<u8>>;

pub(crate) const NEXT_OFFSET: HeaderName = HeaderName::from_static("stream-next-offset");
pub(crate) const UP_TO_DATE: HeaderName = HeaderName::from_static("stream-up-to-date");
pub(crate) const SNAPSHOT: HeaderName = HeaderName::from_static("stream-snapshot");
pub(crate) const CLOSED: HeaderName = HeaderName::from_static("stream-closed");
pub(crate) const TTL: HeaderName = HeaderName::from_static("stream-ttl");
pub(crate) const EXPIRES_AT: HeaderName = HeaderName::from_static("stream-expires-at");
pub(crate) const CURSOR: HeaderName = HeaderName::from_static("stream-cursor");
pub(crate) const PRODUCER_EPOCH: HeaderName = HeaderName::from_static("producer-epoch");
pub(crate) const PRODUCER_SEQ: HeaderName = HeaderName::from_static("producer-seq");
pub(crate) const PRODUCER_EXPECTED_SEQ: HeaderName =
    HeaderName::from_static("producer-expected-seq");
pub(crate) const PRODUCER_RECEIVED_SEQ: HeaderName =
    HeaderName::from_static("producer-received-seq");
pub(crate) const SSE_ENCODING: HeaderName = HeaderName::from_static("stream-sse-data-encoding");

/// Request headers that a browser of another origin may send: ours, and those that tracing and
/// older libraries add to every request of a page.
const ALLOWED_HEADERS: &str = "authorization, baggage, content-type, if-match, if-none-match, last-event-id, producer-epoch, producer-id, producer-seq, sentry-trace, stream-closed, stream-expires-at, stream-seq, stream-ttl, traceparent, tracestate, x-requested-with";
/// Answer headers that a browser of another origin may read.
const EXPOSED_HEADERS: &str = "etag, location, producer-epoch, producer-expected-seq, producer-received-seq, producer-seq, retry-after, stream-closed, stream-cursor, stream-expires-at, stream-next-offset, stream-snapshot, stream-sse-data-encoding, stream-ttl, stream-up-to-date";

/// The default for caches: keep the answer for its one reader, and revalidate each time. Caches in
/// front of Workers identify an answer by its address, not by the client.
pub(crate) const PRIVATE: &str = "private, no-cache, no-transform";

/// For every answer that is not a page of ours: as a document it has no origin, runs nothing and
/// loads nothing, no matter who stored it.
const DATA_POLICY: &str = "sandbox; default-src 'none'";

/// For pages and their files: scripts, styles and requests of their own origin.
pub const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'";

/// An answer with the headers that every answer has: no sniffing, nothing that runs, no shared
/// cache, no embedding surprises, CORS without credentials.
pub(crate) fn reply(status: StatusCode, body: impl Into<Vec<u8>>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    add_common(reply.headers_mut());
    reply
}

/// Whether a header that an adapter adds to an answer joins those of the same name: an answer
/// varies by all that they list. Any other header replaces them.
pub fn header_joins(name: &str) -> bool {
    name == header::VARY.as_str()
}

pub(crate) fn add_common(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, DATA_POLICY),
        (header::CACHE_CONTROL, PRIVATE),
        (const { HeaderName::from_static("cross-origin-resource-policy") }, "cross-origin"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Sets a header whose value we made; skips a text that cannot be a header value.
pub(crate) fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}

/// Sets the channel's content type. A browser saves types that could run as a document of our
/// origin: the policy alone would not hold in older browsers.
pub(crate) fn set_content_type(reply: &mut Reply, content_type: &ContentType) {
    set(reply, header::CONTENT_TYPE, content_type.as_str());
    if !content_type.is_passive() {
        set(reply, header::CONTENT_DISPOSITION, "attachment");
    }
}

/// Reverts [`set_content_type`], for an answer without content.
pub(crate) fn remove_content_type(reply: &mut Reply) {
    reply.headers_mut().remove(header::CONTENT_TYPE);
    reply.headers_mut().remove(header::CONTENT_DISPOSITION);
}

/// An answer in JSON, which no cache may keep.
pub fn json(body: impl Into<Vec<u8>>) -> Reply {
    let mut reply = reply(StatusCode::OK, body);
    set(&mut reply, header::CONTENT_TYPE, "application/json");
    set(&mut reply, header::CACHE_CONTROL, "no-store");
    reply
}

/// CORS preflight of an address with these methods.
pub(crate) fn preflight(allow: &str) -> Reply {
    let mut reply = reply(StatusCode::NO_CONTENT, "");
    set(&mut reply, header::ALLOW, allow);
    set(&mut reply, header::ACCESS_CONTROL_ALLOW_METHODS, allow);
    set(&mut reply, header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    set(&mut reply, header::ACCESS_CONTROL_MAX_AGE, "86400");
    reply
}

/// Status, headers and body, for adapters whose SDK has its own types.
pub fn into_parts(reply: Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let (parts, body) = reply.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    (parts.status.as_u16(), headers.collect(), body)
}
