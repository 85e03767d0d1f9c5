//! The common part of tickets and tokens: a signed JWT.

use jsonwebtoken::errors::ErrorKind as Fault;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde_json::{Map, Value};
use tidewire_core::{Error, ErrorKind, Result};

use crate::credential::invalid;
use crate::signature;

/// How far the issuer's clock may be ahead of ours, in milliseconds. The expiry gets no such grace,
/// because a stream must end when its right does.
pub(crate) const LEEWAY_MS: u64 = 30_000;

/// The header of the JWT. It is not trusted: it names a key, and the key determines the algorithm.
///
/// # Errors
///
/// [`ErrorKind::CredentialInvalid`]: not a JWT, an unknown algorithm (such as `none`), another kind of JWT, or one with a `crit` header.
pub(crate) fn header(text: &str) -> Result<Header> {
    let header = jsonwebtoken::decode_header(text).map_err(|_| {
        invalid(
            "the credential must be a JWT signed with RS256, ES256, EdDSA or, for a ticket, HS256",
        )
    })?;
    // A logout token or a proof of possession has the same issuer and audience.
    let is_access = header.typ.as_deref().is_none_or(|typ| {
        ["jwt", "at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
    });
    if !is_access || header.crit.is_some() {
        return Err(invalid(
            "the credential is not an access token: `typ` must be `JWT` or `at+jwt` if present, and `crit` must be absent",
        ));
    }
    Ok(header)
}

/// Verifies the signature with this key and returns the claims. [`check_times`] checks their times.
pub(crate) fn claims(
    text: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    expected: impl FnOnce(&mut Validation),
) -> Result<Map<String, Value>> {
    signature::install();
    let mut validation = Validation::new(algorithm);
    // These checks would read a clock.
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    expected(&mut validation);
    jsonwebtoken::decode(text, key, &validation).map(|data| data.claims).map_err(|error| {
        invalid(match error.kind() {
            Fault::InvalidSignature => {
                "the signature of the credential does not match the key that its `kid` names"
                    .to_owned()
            }
            Fault::InvalidAlgorithm => {
                "the algorithm of the credential does not match the key that its `kid` names"
                    .to_owned()
            }
            Fault::InvalidAudience => {
                "the credential has the wrong audience: check `aud`".to_owned()
            }
            Fault::InvalidIssuer => "the credential has the wrong issuer: check `iss`".to_owned(),
            Fault::MissingRequiredClaim(name) => format!("the credential has no `{name}`"),
            _ => "the claims of the credential must be a JSON object in base64url".to_owned(),
        })
    })
}

/// The expiry, in milliseconds since 1970, if the credential is valid now.
///
/// # Errors
///
/// [`ErrorKind::CredentialExpired`], [`ErrorKind::CredentialInvalid`], naming the claim.
pub(crate) fn expires_ms(claims: &Map<String, Value>, now_ms: u64) -> Result<u64> {
    let expires_ms = time_ms(claims, "exp")?
        .ok_or_else(|| invalid("the credential has no `exp`: send its expiry time"))?;
    check_times(time_ms(claims, "nbf")?, expires_ms, now_ms)?;
    Ok(expires_ms)
}

/// A claim that is a NumericDate (RFC 7519, section 2): seconds since 1970, which may have a
/// fraction; in milliseconds.
fn time_ms(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>> {
    let Some(value) = claims.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let wrong = |why: &str| {
        invalid(format!(
            "`{name}` of the credential is {why}: send seconds since 1970, as a number"
        ))
    };
    match value.as_f64() {
        None => Err(wrong("not a number")),
        Some(seconds) if seconds < 0.0 => Err(wrong("before 1970")),
        // Whole seconds stay exact; a number that is too large saturates.
        Some(seconds) => Ok(Some(
            value
                .as_u64()
                .map_or((seconds * 1_000.0) as u64, |seconds| seconds.saturating_mul(1_000)),
        )),
    }
}

/// A claim that must be text.
///
/// # Errors
///
/// [`ErrorKind::CredentialInvalid`], naming the claim.
pub(crate) fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(format!("`{name}` of the credential must be a string"))),
    }
}

fn check_times(not_before_ms: Option<u64>, expires_ms: u64, now_ms: u64) -> Result<()> {
    if expires_ms <= now_ms {
        return Err(Error::new(
            ErrorKind::CredentialExpired,
            "the credential has expired, its `exp` has passed: get a new one",
        ));
    }
    if not_before_ms.is_some_and(|begins_ms| begins_ms > now_ms.saturating_add(LEEWAY_MS)) {
        return Err(invalid("the credential is not valid yet: its `nbf` is in the future"));
    }
    Ok(())
}
