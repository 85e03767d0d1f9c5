//! Whether the signature of a provider's token is valid: the only question of this crate that an
//! adapter answers, because a platform may have signatures of its own.

use crate::provider_key::ProviderKey;

/// Verifies signatures of provider tokens. `RustCrypto` (feature `rust-crypto`) is for a platform
/// that has no signatures of its own.
pub trait Signatures {
    /// Whether this is the signature of the message by the key, under the algorithm of the key:
    /// RSASSA-PKCS1-v1_5 with SHA-256, ECDSA with SHA-256 (r and s, 32 bytes each) or Ed25519.
    /// `false` too for a key that cannot be used, such as a point that is not on its curve.
    ///
    /// The signature has the length that the key demands. The bytes are of anyone on the network.
    fn is_valid(
        &self,
        key: &ProviderKey,
        message: &[u8],
        signature: &[u8],
    ) -> impl Future<Output = bool>;
}
