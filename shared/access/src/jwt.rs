//! What a ticket and a token have in common: a signed JWT.

use jsonwebtoken::errors::ErrorKind as Fault;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use tidewire_core::{Error, ErrorKind, Result};

use crate::credential::invalid;
use crate::signature;

/// How far the clock of who made it may be ahead of ours, in milliseconds. Its end gets no such grace, since a stream has to end when its right does.
pub(crate) const LEEWAY_MS: u64 = 30_000;

/// What stands before the claims. Nothing in it is trusted: it names a key, and the key has its algorithm.
///
/// # Errors
///
/// [`ErrorKind::CredentialInvalid`]: no JWT, an algorithm that we do not know (`none` is such), another kind of JWT, or one that demands what we do not do.
pub(crate) fn header(text: &str) -> Result<Header> {
    let header = jsonwebtoken::decode_header(text).map_err(|_| invalid("the credential is no JWT with an algorithm that is known here"))?;
    // A logout token or a proof of possession has the same issuer and audience.
    let is_access = header.typ.as_deref().is_none_or(|typ| ["jwt", "at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)));
    if !is_access || header.crit.is_some() {
        return Err(invalid("the credential is no access token: its header has another `typ`, or `crit`"));
    }
    Ok(header)
}

/// The claims under a signature of this key. When it begins and ends is for [`check_times`].
pub(crate) fn claims<T: DeserializeOwned>(text: &str, key: &DecodingKey, algorithm: Algorithm, expected: impl FnOnce(&mut Validation)) -> Result<T> {
    signature::install();
    let mut validation = Validation::new(algorithm);
    // They would ask a clock.
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    expected(&mut validation);
    jsonwebtoken::decode(text, key, &validation).map(|data| data.claims).map_err(|error| {
        invalid(match error.kind() {
            Fault::InvalidSignature => "the signature of the credential is not of the key that it names".to_owned(),
            Fault::InvalidAlgorithm => "the algorithm of the credential is not that of the key that it names".to_owned(),
            Fault::InvalidAudience => "the credential is for another audience".to_owned(),
            Fault::InvalidIssuer => "the credential has another issuer".to_owned(),
            Fault::MissingRequiredClaim(name) => format!("the credential has no `{name}`"),
            _ => "the claims of the credential are not what they have to be".to_owned(),
        })
    })
}

/// Whether now is between its beginning and its end.
///
/// # Errors
///
/// [`ErrorKind::CredentialExpired`], [`ErrorKind::CredentialInvalid`].
pub(crate) fn check_times(not_before_ms: Option<u64>, expires_ms: u64, now_ms: u64) -> Result<()> {
    if expires_ms <= now_ms {
        return Err(Error::new(ErrorKind::CredentialExpired, "the time of the credential is over: get a fresh one"));
    }
    if not_before_ms.is_some_and(|begins_ms| begins_ms > now_ms.saturating_add(LEEWAY_MS)) {
        return Err(invalid("the credential is not valid yet"));
    }
    Ok(())
}
