//! The one error type: a kind to match on, and a sentence that says what is wrong.
//!
//! Over HTTP it becomes problem details (RFC 9457), over WebSocket an `error` frame and, if the
//! connection must end, a close code.

use std::fmt;

use http::StatusCode;
use http::header::{self, HeaderName};

use crate::close_code::CloseCode;

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or a fault: its kind, its text, and what the answer needs.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    /// The offset to resume from, for [`ErrorKind::OffsetGone`].
    earliest: Option<String>,
    /// When to retry, in milliseconds from now.
    retry_after_ms: Option<u64>,
    /// Headers that give a program the facts of the sentence.
    headers: Vec<(HeaderName, String)>,
    is_of_document: bool,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// Kind of an [`Error`]; its code is the last part of the problem's `type`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorKind { $($(#[$doc])* $name,)* }

        impl ErrorKind {
            /// Every kind, for tables and tests.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name,)*];

            /// Stable name of the kind on the wire.
            pub fn code(self) -> &'static str {
                match self { $(ErrorKind::$name => $code,)* }
            }

            /// HTTP status of the kind.
            pub fn status(self) -> StatusCode {
                match self { $(ErrorKind::$name => StatusCode::$status,)* }
            }

            /// One line for people, the same for every error of the kind.
            pub fn title(self) -> &'static str {
                match self { $(ErrorKind::$name => $title,)* }
            }
        }
    };
}

kinds! {
    /// The address has no valid channel name.
    ChannelNameInvalid = "channel-name-invalid", BAD_REQUEST, "The channel name is not valid";
    /// A start position that is neither `-1`, `now` nor an offset.
    OffsetMalformed = "offset-malformed", BAD_REQUEST, "The offset is malformed";
    /// A live read of Durable Streams without a start position.
    OffsetMissing = "offset-missing", BAD_REQUEST, "A live read needs an offset";
    /// A query parameter is repeated.
    ParameterRepeated = "parameter-repeated", BAD_REQUEST, "A parameter is repeated";
    /// `live` is neither `sse` nor `long-poll`.
    LiveUnknown = "live-unknown", BAD_REQUEST, "The live mode is unknown";
    /// The value of a header is not valid.
    HeaderInvalid = "header-invalid", BAD_REQUEST, "A header is not valid";
    /// An append without content.
    BodyEmpty = "body-empty", BAD_REQUEST, "The body is empty";
    /// The body ended early.
    BodyIncomplete = "body-incomplete", BAD_REQUEST, "The body is incomplete";
    /// A body for a JSON channel that is not JSON.
    BodyNotJson = "body-not-json", BAD_REQUEST, "The body is not JSON";
    /// A body for a text channel that is not UTF-8.
    BodyNotUtf8 = "body-not-utf8", BAD_REQUEST, "The body is not UTF-8";
    /// An append without `Content-Type`.
    ContentTypeMissing = "content-type-missing", BAD_REQUEST, "The content type is missing";
    /// A WebSocket frame that is not one of `tidewire.v1`.
    FrameInvalid = "frame-invalid", BAD_REQUEST, "The frame is not valid";
    /// No credential came with a request that needs one.
    CredentialMissing = "credential-missing", UNAUTHORIZED, "A credential is needed";
    /// A ticket or token that cannot be trusted.
    CredentialInvalid = "credential-invalid", UNAUTHORIZED, "The credential is not valid";
    /// A ticket or token that has expired.
    CredentialExpired = "credential-expired", UNAUTHORIZED, "The credential has expired";
    /// A page of this origin may not use the visitor's credential.
    OriginDenied = "origin-denied", FORBIDDEN, "The origin is not allowed";
    /// The identity lacks the right.
    AccessDenied = "access-denied", FORBIDDEN, "Access denied";
    /// The channel does not exist, and this function creates channels only by `PUT`.
    ChannelNotFound = "channel-not-found", NOT_FOUND, "The channel does not exist";
    /// The channel has no event at this offset.
    EventNotFound = "event-not-found", NOT_FOUND, "The event does not exist";
    /// The document has no awareness stream of this name.
    AwarenessNotFound = "awareness-not-found", NOT_FOUND, "The awareness stream does not exist";
    /// The document does not have a snapshot of this name, or no longer has it.
    SnapshotNotFound = "snapshot-not-found", NOT_FOUND, "The snapshot does not exist";
    /// The function has nothing at this address.
    RouteNotFound = "route-not-found", NOT_FOUND, "Nothing is at this address";
    /// The address does not allow this method.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The method is not allowed here";
    /// The append has another content type than the channel.
    ContentTypeMismatch = "content-type-mismatch", CONFLICT, "The content type is not the channel's";
    /// The channel exists with another configuration.
    ConfigurationMismatch = "configuration-mismatch", CONFLICT, "The channel exists with another configuration";
    /// `Stream-Seq` is not greater than the last one.
    SequenceNotRising = "sequence-not-rising", CONFLICT, "The sequence does not increase";
    /// The producer skipped a number.
    ProducerGap = "producer-gap", CONFLICT, "An append of the producer is missing";
    /// A producer with a later epoch has taken over.
    ProducerFenced = "producer-fenced", FORBIDDEN, "The producer's epoch is outdated";
    /// The channel is finished.
    ChannelClosed = "channel-closed", CONFLICT, "The channel is closed";
    /// The events after this offset are gone.
    OffsetGone = "offset-gone", GONE, "The offset is gone";
    /// `If-Match` or `If-None-Match` does not hold; nothing was changed.
    PreconditionFailed = "precondition-failed", PRECONDITION_FAILED, "A precondition failed";
    /// A body in another charset than UTF-8, or encoded.
    ContentUnsupported = "content-unsupported", UNSUPPORTED_MEDIA_TYPE, "The charset or encoding of the body is not supported";
    /// The body is longer than `MAX_BODY_BYTES`.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// An event is longer than `MAX_EVENT_BYTES`.
    EventTooLarge = "event-too-large", PAYLOAD_TOO_LARGE, "An event is too large";
    /// A document has the most bytes or updates that it may have.
    DocumentFull = "document-full", PAYLOAD_TOO_LARGE, "The document is full";
    /// A batch has more events than `MAX_BATCH_EVENTS`.
    BatchTooLarge = "batch-too-large", PAYLOAD_TOO_LARGE, "The batch has too many events";
    /// The function's own rules refuse an event.
    EventRefused = "event-refused", UNPROCESSABLE_ENTITY, "The event is refused";
    /// The publisher publishes more often than the function allows.
    RateExceeded = "rate-exceeded", TOO_MANY_REQUESTS, "Too many events";
    /// The presence body or frame is not valid.
    PresenceInvalid = "presence-invalid", BAD_REQUEST, "The presence is not valid";
    /// The channel has the most members that it allows.
    PresenceFull = "presence-full", TOO_MANY_REQUESTS, "The channel has too many members";
    /// A revocation without a valid ticket or subject.
    RevocationInvalid = "revocation-invalid", BAD_REQUEST, "The revocation is not valid";
    /// A subscription of Web Push that cannot be used.
    SubscriptionInvalid = "subscription-invalid", BAD_REQUEST, "The subscription is not valid";
    /// The channel has the most subscriptions of Web Push that it allows.
    SubscriptionsFull = "subscriptions-full", CONFLICT, "The channel has too many subscriptions";
    /// A feature of the protocol that this version lacks.
    NotSupported = "not-supported", NOT_IMPLEMENTED, "Not supported";
    /// The platform does not support WebSockets.
    WebSocketUnsupported = "websocket-unsupported", NOT_IMPLEMENTED, "This platform does not support WebSockets";
    /// The keys of the tokens' provider are unavailable.
    KeysUnavailable = "keys-unavailable", SERVICE_UNAVAILABLE, "The provider's keys are unavailable";
    /// The store of the channels is unavailable.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE, "The store is unavailable";
    /// The channel has the most readers that the platform allows.
    TooManyReaders = "too-many-readers", SERVICE_UNAVAILABLE, "The channel has too many readers";
    /// A JSON event is nested deeper than `MAX_JSON_DEPTH`.
    JsonTooDeep = "json-too-deep", UNPROCESSABLE_ENTITY, "The JSON is nested too deeply";
    /// A setting, the store or the platform is at fault, not the client.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
}

impl Error {
    /// An error of a kind; `detail` says what is wrong, then what to send.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Error {
        Error {
            kind,
            detail: detail.into(),
            earliest: None,
            retry_after_ms: None,
            headers: Vec::new(),
            is_of_document: false,
        }
    }

    /// The same for a client of a shared document: its problem details also have the member `error`
    /// of the Yjs protocol of Durable Streams.
    #[must_use]
    pub fn of_document(self, is_of_document: bool) -> Error {
        Error { is_of_document, ..self }
    }

    /// Whether its client is one of a shared document.
    pub(crate) fn is_of_document(&self) -> bool {
        self.is_of_document
    }

    /// [`ErrorKind::OffsetGone`], with the offset to resume from.
    pub fn gone(requested: impl fmt::Display, earliest: impl fmt::Display) -> Error {
        let detail = format!("the events after {requested} are gone: resume from {earliest}");
        Error { earliest: Some(earliest.to_string()), ..Error::new(ErrorKind::OffsetGone, detail) }
    }

    /// [`ErrorKind::BodyIncomplete`]: the client left, or the connection to it broke.
    pub fn body_incomplete(cause: impl fmt::Display) -> Error {
        Error::new(ErrorKind::BodyIncomplete, format!("the body is incomplete: {cause}"))
    }

    /// [`ErrorKind::BodyTooLarge`], with the limit in bytes.
    pub fn body_too_large(max_bytes: u64) -> Error {
        let detail = format!("a body must have at most {max_bytes} bytes");
        Error::new(ErrorKind::BodyTooLarge, detail)
    }

    /// [`ErrorKind::Internal`] for a fault of the platform or the store. The cause goes to the log,
    /// as [`fault`](crate::fault) writes it, not to the client.
    pub fn platform_failed() -> Error {
        Error::new(ErrorKind::Internal, "the platform failed; the log has the cause")
    }

    /// [`ErrorKind::RouteNotFound`], for an operation on a document of a function that has none.
    pub fn no_documents() -> Error {
        Error::new(ErrorKind::RouteNotFound, "channels of this function are no documents")
    }

    /// [`ErrorKind::ChannelClosed`], with the final offset.
    pub fn closed(tail: impl fmt::Display) -> Error {
        let error =
            Error::new(ErrorKind::ChannelClosed, "the channel is closed: nothing can be appended");
        error
            .with_header(const { HeaderName::from_static("stream-closed") }, "true")
            .with_header(const { HeaderName::from_static("stream-next-offset") }, tail)
    }

    /// [`ErrorKind::MethodNotAllowed`], with the allowed methods of the address.
    pub(crate) fn method_not_allowed(method: &str, allow: &str) -> Error {
        let shown: String = method.chars().take(20).collect();
        Error::new(
            ErrorKind::MethodNotAllowed,
            format!("method {shown:?} is not allowed at this address: use {allow}"),
        )
        .with_header(header::ALLOW, allow)
    }

    /// [`ErrorKind::TooManyReaders`]. Nobody knows when a reader leaves, so the wait is fixed.
    pub fn too_many_readers(most: u64) -> Error {
        Error::later(
            ErrorKind::TooManyReaders,
            format!("the channel has {most} readers, the most that it allows: retry in 5 s"),
            5_000,
        )
    }

    /// [`ErrorKind::StoreUnavailable`]. The cause goes to the log, as for
    /// [`Error::platform_failed`]. A publish may be stored all the same: its answer may have been
    /// lost.
    pub fn store_unavailable() -> Error {
        Error::later(
            ErrorKind::StoreUnavailable,
            "the store does not answer: retry in 5 s, a publish with the same Producer-Id, Producer-Epoch and Producer-Seq",
            5_000,
        )
    }

    /// [`ErrorKind::RateExceeded`], of requests: the platform's limiter counts in periods of ten
    /// seconds or a minute and does not report their end.
    pub fn too_many_requests() -> Error {
        Error::later(ErrorKind::RateExceeded, "too many requests: retry in 10 s", 10_000)
    }

    /// An error that a retry may resolve after this many milliseconds.
    pub(crate) fn later(kind: ErrorKind, detail: impl Into<String>, retry_after_ms: u64) -> Error {
        Error { retry_after_ms: Some(retry_after_ms), ..Error::new(kind, detail) }
    }

    /// The error with a header for its answer. The name is a constant: the parser of names is large.
    pub(crate) fn with_header(mut self, name: HeaderName, value: impl ToString) -> Error {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Kind to match on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The offset to resume from, for [`ErrorKind::OffsetGone`].
    pub fn earliest(&self) -> Option<&str> {
        self.earliest.as_deref()
    }

    /// When a retry of the request may succeed, in milliseconds from now.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }

    /// The headers of its answer that other problems do not have.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.headers.iter().map(|(name, value)| (name, value.as_str()))
    }

    /// HTTP status.
    pub fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    /// Whether a retry of the request may succeed.
    fn is_retryable(&self) -> bool {
        let status = self.kind.status();
        status == StatusCode::TOO_MANY_REQUESTS
            || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
    }

    /// Close code for a WebSocket that must end: from 3500 on the client must not reconnect
    /// (`PROTOCOL.md`).
    pub fn close_code(&self) -> CloseCode {
        match self.kind {
            ErrorKind::BodyTooLarge => CloseCode::FrameTooLarge,
            ErrorKind::CredentialExpired => CloseCode::CredentialExpired,
            ErrorKind::CredentialMissing
            | ErrorKind::CredentialInvalid
            | ErrorKind::OriginDenied
            | ErrorKind::AccessDenied => CloseCode::AccessDenied,
            _ if self.is_retryable() => CloseCode::TryAgain,
            _ => CloseCode::Refused,
        }
    }

    /// Close reason: the code, which fits the 123 bytes that RFC 6455 leaves for it.
    pub fn close_reason(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.detail)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_protocol() {
        let protocol = include_str!("../PROTOCOL.md");
        for kind in ErrorKind::ALL {
            assert!(protocol.contains(&format!("`{}`", kind.code())), "{}", kind.code());
            assert!(kind.code().len() <= 123);
        }
    }
}
