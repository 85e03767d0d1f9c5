//! The proof of the sender for a push service: a JWT for its origin (RFC 8292, section 2).

use std::fmt;

use p256::ecdsa::Signature;
use p256::ecdsa::signature::Signer;
use serde_json::json;

use crate::base64url;
use crate::error::{Error, Result};
use crate::vapid::VapidKey;

/// How long a token is valid, in seconds. A service refuses more than 24 hours ahead by its own
/// clock.
const VALID_S: u64 = 12 * 3_600;

/// Age at which a token is made again: half of its life, so that a clock that differs by hours
/// does not matter.
const RENEW_MS: u64 = VALID_S * 1_000 / 2;

/// Most tokens that are kept; above this number all are made again. A channel's subscriptions have
/// few origins.
const MAX_KEPT: usize = 64;

/// The value of `Authorization` for every message to one origin. Not in `Debug`: it lets everyone
/// send to the subscriptions of the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl VapidKey {
    /// Signs a token for the origin of a push service. It is valid for 12 hours; [`Tokens`] keeps
    /// it.
    ///
    /// # Errors
    ///
    /// [`Error::Primitive`].
    pub fn token(&self, origin: &str, now_ms: u64) -> Result<Token> {
        let expires_s = now_ms / 1_000 + VALID_S;
        let claims = json!({"aud": origin, "exp": expires_s, "sub": self.subject});
        let parts = [r#"{"typ":"JWT","alg":"ES256"}"#, &claims.to_string()].map(base64url::encode);
        let text = parts.join(".");
        let signature: Signature =
            self.private.try_sign(text.as_bytes()).map_err(|_| Error::Primitive)?;
        let signature = base64url::encode(signature.to_bytes());
        Ok(Token(format!("vapid t={text}.{signature}, k={}", self.public())))
    }
}

impl Token {
    /// The value of the header `Authorization` (section 3).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The tokens of an instance: one for each key and origin, made again after 6 hours. A signature
/// costs as much CPU as a message.
#[derive(Debug, Default)]
pub struct Tokens(Vec<Kept>);

#[derive(Debug)]
struct Kept {
    key: String,
    origin: String,
    made_ms: u64,
    token: Token,
}

impl Tokens {
    /// The token of a key for an origin.
    ///
    /// # Errors
    ///
    /// [`Error::Primitive`].
    pub fn get(&mut self, key: &VapidKey, origin: &str, now_ms: u64) -> Result<Token> {
        let kept = self.0.iter().find(|kept| kept.key == key.public() && kept.origin == origin);
        // A clock that was set back makes a token again, too.
        if let Some(kept) = kept
            && (kept.made_ms..kept.made_ms + RENEW_MS).contains(&now_ms)
        {
            return Ok(kept.token.clone());
        }
        self.forget(key, origin);
        if self.0.len() >= MAX_KEPT {
            self.0.clear();
        }
        let token = key.token(origin, now_ms)?;
        self.0.push(Kept {
            key: key.public().into(),
            origin: origin.into(),
            made_ms: now_ms,
            token: token.clone(),
        });
        Ok(token)
    }

    /// Forgets a token that the service refused: the next message to the origin gets a new one.
    pub fn forget(&mut self, key: &VapidKey, origin: &str) {
        self.0.retain(|kept| kept.key != key.public() || kept.origin != origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vapid;

    const NOW_MS: u64 = 1_800_000_000_000;
    const SERVICE: &str = "https://fcm.googleapis.com";

    fn vapid() -> Vapid {
        let keys =
            [1, 2].map(|byte| format!("k{byte}:{}", base64url::encode([byte; 32]))).join(",");
        Vapid::parse(&keys, "mailto:admin@example.com").unwrap()
    }

    #[test]
    fn a_token_serves_an_origin_for_half_of_its_life() {
        let vapid = vapid();
        let (first, second) = (vapid.get("k1").unwrap(), vapid.get("k2").unwrap());
        let mut tokens = Tokens::default();
        let token = tokens.get(first, SERVICE, NOW_MS).unwrap();
        assert_eq!(tokens.get(first, SERVICE, NOW_MS + RENEW_MS - 1).unwrap(), token);
        assert_ne!(tokens.get(second, SERVICE, NOW_MS).unwrap(), token);
        assert_ne!(tokens.get(first, "https://web.push.apple.com", NOW_MS).unwrap(), token);

        let renewed = tokens.get(first, SERVICE, NOW_MS + RENEW_MS).unwrap();
        assert_ne!(renewed, token);
        // The clock was set back.
        assert_ne!(tokens.get(first, SERVICE, NOW_MS - 60_000).unwrap(), renewed);
        assert_eq!(tokens.0.len(), 3);
    }

    #[test]
    fn a_refused_token_is_made_again() {
        let (vapid, mut tokens) = (vapid(), Tokens::default());
        let key = vapid.first().unwrap();
        let token = tokens.get(key, SERVICE, NOW_MS).unwrap();
        tokens.forget(key, SERVICE);
        assert_ne!(tokens.get(key, SERVICE, NOW_MS + 1_000).unwrap(), token);
    }

    #[test]
    fn few_tokens_are_kept() {
        let (vapid, mut tokens) = (vapid(), Tokens::default());
        for number in 0..=MAX_KEPT {
            let origin = format!("https://wns2-{number}.notify.windows.com");
            tokens.get(vapid.first().unwrap(), &origin, NOW_MS).unwrap();
        }
        assert_eq!(tokens.0.len(), 1);
    }

    #[test]
    fn a_log_shows_no_token() {
        let (vapid, mut tokens) = (vapid(), Tokens::default());
        let token = tokens.get(vapid.first().unwrap(), SERVICE, NOW_MS).unwrap();
        let (_, signed) = token.as_str().split_once("t=").unwrap();
        assert!(!format!("{tokens:?}{token:?}").contains(&signed[..20]));
    }
}
