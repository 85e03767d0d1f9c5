//! Tokens of the provider with which the users sign in.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tidewire_core::{Result, Token};

use crate::credential::invalid;
use crate::jwt::Algorithm;
use crate::verified::Digest;
use crate::{JwkSet, Signatures, jwt};

/// A token that needs the keys of its provider. Not `Debug`: it must not get into a log.
pub struct UnverifiedToken {
    pub(crate) text: String,
    pub(crate) key: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

impl UnverifiedToken {
    /// `kid`: the key that it names.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Verifies it with the provider's keys, unless they have verified it before. Its times are
    /// checked each time.
    ///
    /// # Errors
    ///
    /// [`CredentialInvalid`](tidewire_core::ErrorKind::CredentialInvalid) or
    /// [`CredentialExpired`](tidewire_core::ErrorKind::CredentialExpired).
    pub async fn verify(
        &self,
        keys: &JwkSet,
        signatures: &impl Signatures,
        now_ms: u64,
    ) -> Result<Token> {
        let digest = self.digest();
        if let Some(claims) = keys.verified.claims(&digest) {
            return token(claims, now_ms);
        }
        let signed = jwt::Signed::parse(&self.text)?;
        let mut refused = invalid(
            "the `kid` and algorithm of the token are unknown: no key at JWKS_URL has both",
        );
        // Few providers have two keys of one name; more candidates would only cost CPU.
        for candidate in keys
            .candidates(self.key())
            .filter(|candidate| candidate.algorithm() == self.algorithm)
            .take(2)
        {
            if candidate.fits(&signed.signature)
                && signatures.is_valid(candidate, signed.message, &signed.signature).await
            {
                let claims = signed.claims()?;
                self.check(&claims)?;
                let token = token(claims, now_ms)?;
                keys.verified.remember(digest, self.text.len(), &token.claims);
                return Ok(token);
            }
            refused = jwt::wrong_signature();
        }
        Err(refused)
    }

    /// Checks issuer and audience.
    fn check(&self, claims: &Map<String, Value>) -> Result<()> {
        jwt::check_name(claims, "iss", "issuer", &self.issuer)?;
        if !self.audience.is_empty() {
            return jwt::check_name(claims, "aud", "audience", &self.audience);
        }
        match claims.get("aud") {
            None | Some(Value::Null) => Ok(()),
            // If no audience is set, a token that names one is for someone else.
            Some(_) => Err(invalid("the credential has the wrong audience: check `aud`")),
        }
    }

    fn digest(&self) -> Digest {
        let UnverifiedToken { text, issuer, audience, .. } = self;
        // No text has this byte: a token is base64url, and a setting is text of a manifest.
        Sha256::new()
            .chain_update(issuer)
            .chain_update([0])
            .chain_update(audience)
            .chain_update([0])
            .chain_update(text)
            .finalize()
            .into()
    }
}

fn token(claims: Map<String, Value>, now_ms: u64) -> Result<Token> {
    let expires_ms = jwt::expires_ms(&claims, now_ms)?;
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .filter(|subject| !subject.is_empty())
        .ok_or_else(|| invalid("the token has no `sub`: send a non-empty string"))?;
    Ok(Token { subject: subject.into(), expires_ms, claims })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::OnceLock;
    use std::task::{Context, Poll, Waker};

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ed25519_dalek::Signer;
    use rand_core::{OsRng, RngCore};
    use rsa::traits::PublicKeyParts;
    use serde_json::json;
    use tidewire_core::ErrorKind;

    use super::*;
    use crate::RustCrypto;

    const NOW_MS: u64 = 1_800_000_000_000;
    const NOW_S: u64 = NOW_MS / 1_000;
    const ISSUER: &str = "https://issuer.example/";

    fn base64(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A provider with a key of each kind.
    struct Keys {
        rsa: rsa::RsaPrivateKey,
        ec: p256::ecdsa::SigningKey,
        ed: ed25519_dalek::SigningKey,
    }

    fn keys() -> &'static Keys {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(|| {
            let mut seed = [0; 32];
            OsRng.fill_bytes(&mut seed);
            Keys {
                rsa: rsa::RsaPrivateKey::new(&mut OsRng, 2_048).unwrap(),
                ec: p256::ecdsa::SigningKey::random(&mut OsRng),
                ed: ed25519_dalek::SigningKey::from_bytes(&seed),
            }
        })
    }

    fn rsa_key() -> Value {
        let key = &keys().rsa;
        json!({"kty": "RSA", "n": base64(key.n().to_bytes_be()), "e": base64(key.e().to_bytes_be())})
    }

    fn ec_key() -> Value {
        let point = keys().ec.verifying_key().to_encoded_point(false);
        json!({"kty": "EC", "crv": "P-256", "x": base64(point.x().unwrap()), "y": base64(point.y().unwrap())})
    }

    fn ed_key() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64(keys().ed.verifying_key().as_bytes())})
    }

    /// A key with these members more.
    fn with(mut key: Value, more: Value) -> Value {
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn set(keys: &[Value]) -> JwkSet {
        JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn sign(algorithm: &str, message: &[u8]) -> Vec<u8> {
        let keys = keys();
        match algorithm {
            "RS256" => {
                use rsa::signature::{SignatureEncoding, Signer};
                rsa::pkcs1v15::SigningKey::<sha2::Sha256>::new(keys.rsa.clone())
                    .sign(message)
                    .to_vec()
            }
            "ES256" => {
                Signer::<p256::ecdsa::Signature>::sign(&keys.ec, message).to_bytes().to_vec()
            }
            "EdDSA" => keys.ed.sign(message).to_bytes().to_vec(),
            // With what an attacker has: the public key as if it were a secret.
            "HS256" => {
                use hmac::Mac;
                let secret = rsa_key()["n"].as_str().unwrap().to_owned();
                hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes())
                    .unwrap()
                    .chain_update(message)
                    .finalize()
                    .into_bytes()
                    .to_vec()
            }
            _ => Vec::new(),
        }
    }

    /// A token with these claims in place of its own; `null` takes one away.
    fn signed(header: &Value, changes: &Value) -> String {
        let claims =
            json!({"iss": ISSUER, "aud": "app", "sub": "ann", "exp": NOW_S + 60, "iat": NOW_S});
        let mut claims = with(claims, changes.clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let message = [header, &claims].map(|part| base64(part.to_string())).join(".");
        let signature = sign(header["alg"].as_str().unwrap_or_default(), message.as_bytes());
        format!("{message}.{}", base64(signature))
    }

    fn verified(text: &str, audience: &str, keys: &JwkSet) -> Result<Token> {
        let header = jwt::header(text)?;
        let token = UnverifiedToken {
            text: text.into(),
            key: header.key,
            algorithm: header.algorithm,
            issuer: ISSUER.into(),
            audience: audience.into(),
        };
        ready(token.verify(keys, &RustCrypto, NOW_MS))
    }

    /// What a future gives that waits for nothing.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it waits"),
        }
    }

    fn refused(header: &Value, changes: &Value, keys: &[Value]) -> Option<ErrorKind> {
        verified(&signed(header, changes), "app", &set(keys)).err().map(|error| error.kind())
    }

    /// What each provider publishes, and what stands before its tokens' claims.
    fn providers() -> Vec<(&'static str, Vec<Value>, Value)> {
        let chain = json!({"x5c": ["MIIC"], "x5t": "dGh1bWI"});
        let other =
            |more: Value| with(json!({"kty": "RSA", "n": base64([255; 256]), "e": "AQAB"}), more);
        vec![
            (
                "Auth0",
                vec![
                    with(
                        with(rsa_key(), chain.clone()),
                        json!({"alg": "RS256", "use": "sig", "kid": "a0"}),
                    ),
                    other(json!({"alg": "RS256", "use": "sig", "kid": "a1"})),
                ],
                json!({"alg": "RS256", "typ": "JWT", "kid": "a0"}),
            ),
            (
                "Okta",
                vec![with(rsa_key(), json!({"alg": "RS256", "use": "sig", "kid": "o_-k"}))],
                json!({"kid": "o_-k", "alg": "RS256"}),
            ),
            (
                "Google",
                vec![
                    other(json!({"alg": "RS256", "use": "sig", "kid": "g1"})),
                    with(rsa_key(), json!({"use": "sig", "alg": "RS256", "kid": "g2"})),
                ],
                json!({"alg": "RS256", "kid": "g2", "typ": "JWT"}),
            ),
            (
                "Entra, without alg",
                vec![with(
                    with(rsa_key(), chain),
                    json!({"use": "sig", "kid": "e", "issuer": ISSUER, "cloud_instance_name": "x"}),
                )],
                json!({"typ": "JWT", "alg": "RS256", "x5t": "e", "kid": "e"}),
            ),
            (
                "Cognito",
                vec![
                    with(rsa_key(), json!({"alg": "RS256", "use": "sig", "kid": "c+/="})),
                    other(json!({"alg": "RS256", "use": "sig", "kid": "d"})),
                ],
                json!({"kid": "c+/=", "alg": "RS256"}),
            ),
            (
                "Clerk",
                vec![with(rsa_key(), json!({"use": "sig", "alg": "RS256", "kid": "ins_1"}))],
                json!({"alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": "ins_1", "typ": "JWT"}),
            ),
            (
                "Supabase",
                vec![with(
                    ec_key(),
                    json!({"alg": "ES256", "ext": true, "key_ops": ["verify"], "use": "sig", "kid": "s"}),
                )],
                json!({"alg": "ES256", "kid": "s", "typ": "JWT"}),
            ),
            (
                "Cloudflare Access",
                vec![
                    with(rsa_key(), json!({"kid": "f1", "alg": "RS256", "use": "sig"})),
                    other(json!({"kid": "f2", "alg": "RS256", "use": "sig"})),
                ],
                json!({"alg": "RS256", "kid": "f1", "typ": "JWT"}),
            ),
            (
                "one with all that it can do",
                vec![
                    with(rsa_key(), json!({"use": "enc", "alg": "RSA-OAEP", "kid": "k"})),
                    json!({"kty": "OKP", "crv": "X25519", "kid": "k", "x": "AA"}),
                    json!({"kty": "LMS", "kid": "k"}),
                    json!(7),
                    with(ed_key(), json!({"kid": "k", "use": "sig"})),
                ],
                json!({"alg": "EdDSA", "kid": "k", "typ": "at+jwt"}),
            ),
            ("one with a single key and no names", vec![ec_key()], json!({"alg": "ES256"})),
        ]
    }

    #[test]
    fn takes_the_tokens_of_well_known_providers() {
        for (name, keys, header) in providers() {
            let token = verified(&signed(&header, &json!({"role": "editor"})), "app", &set(&keys))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                (token.subject.as_str(), token.expires_ms),
                ("ann", NOW_MS + 60_000),
                "{name}"
            );
            assert_eq!(token.claims["role"], "editor", "{name}");
        }
    }

    #[test]
    fn the_algorithm_is_that_of_the_key() {
        let key = with(rsa_key(), json!({"kid": "k", "alg": "RS256"}));
        for algorithm in ["none", "HS256", "ES256", "EdDSA", "RS384", "PS256", "rs256", ""] {
            let refused = refused(
                &json!({"alg": algorithm, "kid": "k"}),
                &json!({}),
                std::slice::from_ref(&key),
            );
            assert_eq!(refused, Some(ErrorKind::CredentialInvalid), "{algorithm}");
        }
        // Signed rightly, with a key that is meant for something else.
        for more in [
            json!({"use": "enc"}),
            json!({"key_ops": ["encrypt"]}),
            json!({"alg": "PS256"}),
            json!({"alg": "RSA-OAEP"}),
            json!({"kid": "other"}),
        ] {
            let key = with(key.clone(), more.clone());
            assert_eq!(
                refused(&json!({"alg": "RS256", "kid": "k"}), &json!({}), &[key]),
                Some(ErrorKind::CredentialInvalid),
                "{more}"
            );
        }
    }

    #[test]
    fn a_key_that_comes_with_the_token_is_not_looked_at() {
        let header = json!({"alg": "ES256", "kid": "k", "jwk": ec_key(), "jku": "https://attacker.example/jwks.json"});
        assert_eq!(
            refused(&header, &json!({}), &[with(rsa_key(), json!({"kid": "k"}))]),
            Some(ErrorKind::CredentialInvalid)
        );
    }

    #[test]
    fn a_secret_or_a_weak_key_in_the_set_is_none() {
        let secret = json!({"kty": "oct", "kid": "k", "alg": "HS256", "k": base64(rsa_key()["n"].as_str().unwrap())});
        let weak = json!({"kty": "RSA", "kid": "k", "n": base64([255; 128]), "e": "AQAB"});
        assert!(!set(&[secret, weak]).knows(Some("k")));
    }

    #[test]
    fn claims_that_are_missing_or_wrong_are_refused() {
        let (header, key) =
            (json!({"alg": "ES256", "kid": "k"}), with(ec_key(), json!({"kid": "k"})));
        for changes in [
            json!({"aud": "other"}),
            json!({"aud": ["other"]}),
            json!({"aud": null}),
            json!({"iss": "https://issuer.example"}),
            json!({"iss": null}),
            json!({"sub": null}),
            json!({"sub": ""}),
            json!({"sub": 7}),
            json!({"exp": null}),
            json!({"exp": "soon"}),
            json!({"nbf": NOW_S + 31}),
            json!({"nbf": "x"}),
        ] {
            assert_eq!(
                refused(&header, &changes, std::slice::from_ref(&key)),
                Some(ErrorKind::CredentialInvalid),
                "{changes}"
            );
        }
        for exp in [json!(NOW_S), json!(NOW_S as f64 - 0.5), json!(0)] {
            assert_eq!(
                refused(&header, &json!({"exp": exp}), std::slice::from_ref(&key)),
                Some(ErrorKind::CredentialExpired),
                "{exp}"
            );
        }
        for changes in [
            json!({"exp": NOW_S + 1}),
            json!({"aud": ["x", "app"]}),
            json!({"nbf": NOW_S + 29}),
            json!({"exp": NOW_S as f64 + 0.5}),
        ] {
            assert_eq!(refused(&header, &changes, std::slice::from_ref(&key)), None, "{changes}");
        }
    }

    #[test]
    fn without_an_audience_a_token_for_one_is_refused() {
        let (header, keys) =
            (json!({"alg": "ES256", "kid": "k"}), set(&[with(ec_key(), json!({"kid": "k"}))]));
        assert!(verified(&signed(&header, &json!({"aud": null})), "", &keys).is_ok());
        assert!(verified(&signed(&header, &json!({})), "", &keys).is_err());
    }

    #[test]
    fn a_token_that_was_changed_is_refused() {
        for (header, key) in [
            (json!({"alg": "RS256"}), rsa_key()),
            (json!({"alg": "ES256"}), ec_key()),
            (json!({"alg": "EdDSA"}), ed_key()),
        ] {
            let token = signed(&header, &json!({}));
            assert!(verified(&token, "app", &set(std::slice::from_ref(&key))).is_ok());
            let other = signed(&header, &json!({"sub": "root"}));
            let [head, claims, tag] = token.split('.').collect::<Vec<_>>()[..] else {
                panic!("{token}")
            };
            let changed = other.split('.').nth(1).unwrap();
            for text in [
                format!("{head}.{changed}.{tag}"),
                format!("{head}.{claims}."),
                format!("{head}.{claims}"),
                format!("{head}.{claims}.{tag}.{tag}"),
            ] {
                let refused = verified(&text, "app", &set(std::slice::from_ref(&key))).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::CredentialInvalid, "{text}");
            }
        }
    }

    #[test]
    fn a_token_is_verified_once_for_its_issuer_and_audience_and_its_times_each_time() {
        let header = json!({"alg": "ES256"});
        let text = signed(&header, &json!({}));
        let mut keys = set(&[ec_key()]);
        let token = |audience: &str| UnverifiedToken {
            text: text.clone(),
            key: None,
            algorithm: Algorithm::Es256,
            issuer: ISSUER.into(),
            audience: audience.into(),
        };
        let kind = |error: tidewire_core::Error| error.kind();
        let first = ready(token("app").verify(&keys, &RustCrypto, NOW_MS)).unwrap();
        // Without keys nothing can be verified: what is known answers.
        keys.forget_keys();
        assert_eq!(ready(token("app").verify(&keys, &RustCrypto, NOW_MS + 59_999)).unwrap(), first);
        assert_eq!(
            ready(token("app").verify(&keys, &RustCrypto, NOW_MS + 60_000)).map_err(kind),
            Err(ErrorKind::CredentialExpired)
        );
        assert_eq!(
            ready(token("other").verify(&keys, &RustCrypto, NOW_MS)).map_err(kind),
            Err(ErrorKind::CredentialInvalid)
        );
        let other = signed(&header, &json!({"sub": "root"}));
        assert_eq!(verified(&other, "app", &keys).map_err(kind), Err(ErrorKind::CredentialInvalid));
    }

    #[test]
    fn what_is_no_set_is_said_so() {
        for json in ["", "[]", "{}", "{\"keys\":{}}", "<html>"] {
            assert_eq!(
                JwkSet::parse(json.as_bytes()).err().map(|error| error.kind()),
                Some(ErrorKind::KeysUnavailable),
                "{json}"
            );
        }
        assert!(!set(&[]).knows(None));
    }
}
