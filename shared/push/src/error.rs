//! The one error type: whose fault it is, and a sentence that says what to do.

use std::fmt;

use tidewire_core::{Error as CoreError, ErrorKind};

use crate::limits::{MAX_ENDPOINT_BYTES, MAX_TEXT_BYTES};

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no subscription, no key or no request. It never shows an endpoint, a key or a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The subscription that a user sent is not valid: the user's fault (400).
    Subscription(Refusal),
    /// A setting is not valid: the operator's fault, found when the setting is read.
    Setting {
        /// Name of the variable.
        name: &'static str,
        /// What is wrong with it, and what to set.
        why: String,
    },
    /// The text has more than [`MAX_TEXT_BYTES`].
    TextTooLong {
        /// Length of the text in bytes.
        bytes: usize,
    },
    /// The random bytes are not a private key, once in 2^32 draws: draw again.
    DrawAgain,
    /// A primitive refused the sizes that this crate gives it, which does not happen.
    Primitive,
}

/// What is wrong with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not the JSON of a `PushSubscription`.
    NotJson,
    /// The endpoint has more than [`MAX_ENDPOINT_BYTES`].
    EndpointTooLong,
    /// The endpoint is not a URL as browsers write it.
    EndpointMalformed,
    /// The endpoint has another scheme than `https`.
    EndpointNotHttps,
    /// The endpoint has a user or a password.
    EndpointHasCredentials,
    /// The endpoint has a port.
    EndpointHasPort,
    /// The host of the endpoint is not a listed push service.
    ServiceUnknown,
    /// `p256dh` is not a point of P-256 in 65 bytes.
    KeyInvalid,
    /// `auth` is not 16 bytes.
    SecretInvalid,
}

impl Error {
    /// As the operator's fault. It names a setting, and never its value.
    pub(crate) fn fault(&self) -> CoreError {
        CoreError::new(ErrorKind::Internal, self.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Subscription(refusal) => refusal.fmt(f),
            Error::Setting { name, why } => write!(f, "{name} {why}"),
            Error::TextTooLong { bytes } => write!(
                f,
                "the text has {bytes} bytes, and a message must have at most {MAX_TEXT_BYTES}: shorten it"
            ),
            Error::DrawAgain => f.write_str("the random bytes are not a key: draw other bytes"),
            Error::Primitive => f.write_str("the message cannot be encrypted or signed"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Refusal::NotJson => {
                "the subscription is not valid: send `JSON.stringify(subscription)` of a PushSubscription"
            }
            Refusal::EndpointTooLong => {
                return write!(f, "`endpoint` must have at most {MAX_ENDPOINT_BYTES} bytes");
            }
            Refusal::EndpointMalformed => "`endpoint` is not a URL: send it as the browser gave it",
            Refusal::EndpointNotHttps => "`endpoint` must begin with `https://`",
            Refusal::EndpointHasCredentials => "`endpoint` must have no user and no password",
            Refusal::EndpointHasPort => "`endpoint` must have no port",
            Refusal::ServiceUnknown => {
                "the host of `endpoint` is not a known push service: the operator may add it to PUSH_SERVICES"
            }
            Refusal::KeyInvalid => "`keys.p256dh` must be 65 bytes, a point of P-256, as base64url",
            Refusal::SecretInvalid => "`keys.auth` must be 16 bytes as base64url",
        };
        f.write_str(why)
    }
}

impl std::error::Error for Error {}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Subscription(refusal)
    }
}
