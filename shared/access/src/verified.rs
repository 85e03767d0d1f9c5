//! The tokens that a provider's keys have verified: a client sends its token with every request, and
//! a signature costs more than the rest of the request.

use std::cell::RefCell;
use std::collections::VecDeque;

use serde_json::{Map, Value};

/// Most bytes of the texts of all tokens that are remembered; the oldest is forgotten first. Claims
/// take a few times as much memory, and a token of a provider has one to four thousand bytes.
const MAX_BYTES: usize = 256 * 1024;

/// SHA-256 of a token and of what it was verified for.
pub(crate) type Digest = [u8; 32];

/// The claims of verified tokens, in the order in which they came. It belongs to its keys: new
/// keys begin with an empty list.
#[derive(Default)]
pub(crate) struct Verified(RefCell<Tokens>);

#[derive(Default)]
struct Tokens {
    known: VecDeque<Known>,
    bytes: usize,
}

struct Known {
    digest: Digest,
    /// Length of the token.
    bytes: usize,
    claims: Map<String, Value>,
}

impl Verified {
    /// The claims of a token whose signature, issuer and audience were verified. Its times must be
    /// checked again.
    pub(crate) fn claims(&self, digest: &Digest) -> Option<Map<String, Value>> {
        let tokens = self.0.borrow();
        let known = tokens.known.iter().find(|known| known.digest == *digest);
        known.map(|known| known.claims.clone())
    }

    /// Remembers a token of this length, unless another request has done so while this one waited
    /// for the signature.
    pub(crate) fn remember(&self, digest: Digest, bytes: usize, claims: &Map<String, Value>) {
        let mut tokens = self.0.borrow_mut();
        if tokens.known.iter().any(|known| known.digest == digest) {
            return;
        }
        tokens.known.push_back(Known { digest, bytes, claims: claims.clone() });
        tokens.bytes += bytes;
        while tokens.bytes > MAX_BYTES
            && let Some(oldest) = tokens.known.pop_front()
        {
            tokens.bytes -= oldest.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_once_and_the_oldest_is_forgotten_first() {
        let verified = Verified::default();
        let digest = |number: u8| [number; 32];
        for number in 0..100 {
            for _ in 0..3 {
                verified.remember(digest(number), 8 * 1024, &Map::new());
            }
        }
        let kept: Vec<u8> =
            (0..100).filter(|number| verified.claims(&digest(*number)).is_some()).collect();
        assert_eq!(kept, (68..100).collect::<Vec<u8>>());
        assert_eq!(verified.0.borrow().bytes, MAX_BYTES);
    }
}
