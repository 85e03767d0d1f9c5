//! The keys of a provider, from its JWKS.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;
use tidewire_core::{Error, ErrorKind, Result};

use crate::verified::Verified;

/// Longest JWKS that is read, in bytes; a longer one counts as unavailable. The sets of well-known
/// providers have 1 to 20 thousand bytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;

/// Most keys of a set; later ones are ignored.
const MAX_KEYS: usize = 64;

/// Shortest modulus of an RSA key, in bytes. Shorter keys can be broken.
const MIN_RSA_BYTES: usize = 256;

/// The keys of a set that can verify a token here.
pub struct JwkSet {
    keys: Vec<ProviderKey>,
    pub(crate) verified: Verified,
}

pub(crate) struct ProviderKey {
    id: Option<String>,
    /// The algorithm follows from the key alone: a token that names another algorithm is refused.
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

impl JwkSet {
    /// Reads a JWKS. A key for another use, of another algorithm, too weak or unknown is skipped,
    /// since providers publish many kinds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeysUnavailable`] if the text is not a JWKS.
    pub fn parse(json: &[u8]) -> Result<JwkSet> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|_| {
            Error::new(ErrorKind::KeysUnavailable, "the document at JWKS_URL is not a JWKS")
        })?;
        Ok(JwkSet {
            keys: set.keys.into_iter().take(MAX_KEYS).filter_map(ProviderKey::read).collect(),
            verified: Verified::default(),
        })
    }

    /// Keeps only what it has verified.
    #[cfg(test)]
    pub(crate) fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// Whether a key has this name; without a name, whether there is a single key to try.
    pub fn knows(&self, id: Option<&str>) -> bool {
        self.candidates(id).next().is_some()
    }

    /// The keys of this name: a provider may give two keys the same name. A token without `kid`
    /// belongs to the only key of its set.
    pub(crate) fn candidates<'a>(
        &'a self,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a ProviderKey> {
        let is_only = self.keys.len() == 1;
        self.keys
            .iter()
            .filter(move |key| if id.is_some() { key.id.as_deref() == id } else { is_only })
    }
}

impl ProviderKey {
    fn read(value: Value) -> Option<ProviderKey> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature)
            || common
                .key_operations
                .as_ref()
                .is_some_and(|operations| !operations.contains(&KeyOperations::Verify))
        {
            return None;
        }
        // A provider may omit `alg`: for these kinds of keys only one algorithm is in use.
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(parameters)
                if parameters.curve == EllipticCurve::P256 =>
            {
                Algorithm::ES256
            }
            AlgorithmParameters::OctetKeyPair(parameters)
                if parameters.curve == EllipticCurve::Ed25519 =>
            {
                Algorithm::EdDSA
            }
            // A published secret is not secret.
            _ => return None,
        };
        if common.key_algorithm.is_some_and(|named| named != KeyAlgorithm::from(algorithm)) {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let is_weak = matches!(key.kind(), DecodingKeyKind::RsaModulusExponent { n, .. } if n.len() < MIN_RSA_BYTES);
        (!is_weak).then_some(ProviderKey { id: jwk.common.key_id, algorithm, key })
    }
}
