//! The common part of tickets and tokens: a signed JWT.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tidewire_core::{Error, ErrorKind, Result};

use crate::credential::invalid;

/// How far the issuer's clock may be ahead of ours, in milliseconds. The expiry gets no such grace,
/// because a stream must end when its right does.
pub(crate) const LEEWAY_MS: u64 = 30_000;

/// The algorithms that are verified here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// Its name in the header of a JWT and in a JWK.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    fn of_name(name: &str) -> Option<Algorithm> {
        [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

/// The fields of a JWT's header that are read. They are not trusted: they name a key, and the key
/// determines the algorithm.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    /// `kid`.
    pub(crate) key: Option<String>,
}

/// Reads the header of a JWT.
///
/// # Errors
///
/// [`ErrorKind::CredentialInvalid`]: not a JWT, an unknown algorithm (such as `none`), another kind of JWT, or one with a `crit` header.
pub(crate) fn header(text: &str) -> Result<Header> {
    let (head, _) = text.split_once('.').ok_or_else(no_jwt)?;
    let header = object(head).ok_or_else(no_jwt)?;
    let text = |name| match header.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(no_jwt()),
    };
    let algorithm = text("alg")?.and_then(Algorithm::of_name).ok_or_else(no_jwt)?;
    // A logout token or a proof of possession has the same issuer and audience.
    let is_access = text("typ")?.is_none_or(|typ| {
        ["jwt", "at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
    });
    if !is_access || header.get("crit").is_some_and(|crit| !crit.is_null()) {
        return Err(invalid(
            "the credential is not an access token: `typ` must be `JWT` or `at+jwt` if present, and `crit` must be absent",
        ));
    }
    Ok(Header { algorithm, key: text("kid")?.map(Into::into) })
}

/// A JWT whose signature is not verified yet.
pub(crate) struct Signed<'a> {
    /// The signed bytes.
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Signed<'a> {
    /// Separates the three parts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialInvalid`]: not a JWT.
    pub(crate) fn parse(text: &'a str) -> Result<Signed<'a>> {
        let (message, signature) = text.rsplit_once('.').ok_or_else(no_jwt)?;
        let (_, claims) = message.split_once('.').ok_or_else(no_jwt)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| no_jwt())?;
        Ok(Signed { message: message.as_bytes(), signature, claims })
    }

    /// The claims. The signature must be verified before they are used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialInvalid`]: not a JSON object.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>> {
        object(self.claims).ok_or_else(|| {
            invalid("the claims of the credential must be a JSON object in base64url")
        })
    }
}

/// The refusal of a signature.
pub(crate) fn wrong_signature() -> Error {
    invalid("the signature of the credential does not match the key that its `kid` names")
}

fn no_jwt() -> Error {
    invalid("the credential must be a JWT signed with RS256, ES256, EdDSA or, for a ticket, HS256")
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Checks a claim that must be this text, or a list with it: `iss` or `aud`.
///
/// # Errors
///
/// [`ErrorKind::CredentialInvalid`], naming the claim.
pub(crate) fn check_name(
    claims: &Map<String, Value>,
    name: &str,
    noun: &str,
    expected: &str,
) -> Result<()> {
    let is_expected = |value: &Value| value.as_str() == Some(expected);
    let is_right = match claims.get(name) {
        None | Some(Value::Null) => return Err(invalid(format!("the credential has no `{name}`"))),
        Some(Value::Array(names)) => names.iter().any(is_expected),
        Some(value) => is_expected(value),
    };
    if !is_right {
        return Err(invalid(format!("the credential has the wrong {noun}: check `{name}`")));
    }
    Ok(())
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
