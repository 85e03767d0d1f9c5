//! The keys of a provider, from its JWKS.

use serde::Deserialize;
use serde_json::Value;
use tidewire_core::{Error, ErrorKind, Result};

use crate::provider_key::ProviderKey;
use crate::verified::Verified;

/// Longest JWKS that is read, in bytes; a longer one counts as unavailable. The sets of well-known
/// providers have 1 to 20 thousand bytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;

/// Most keys of a set; later ones are ignored.
const MAX_KEYS: usize = 64;

/// The keys of a set that can verify a token here.
pub struct JwkSet {
    keys: Vec<ProviderKey>,
    pub(crate) verified: Verified,
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
            keys: set.keys.iter().take(MAX_KEYS).filter_map(ProviderKey::read).collect(),
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
