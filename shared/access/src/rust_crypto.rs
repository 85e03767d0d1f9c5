//! Signatures by crates, where the platform has none.

use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256};

use crate::provider_key::{ProviderKey, PublicKey};
use crate::signatures::Signatures;

/// Verifies with the crates `rsa`, `p256` and `ed25519-dalek`.
#[derive(Clone, Copy, Debug)]
pub struct RustCrypto;

impl Signatures for RustCrypto {
    async fn is_valid(&self, key: &ProviderKey, message: &[u8], signature: &[u8]) -> bool {
        is_valid(key.public(), message, signature).is_some()
    }
}

fn is_valid(key: &PublicKey, message: &[u8], signature: &[u8]) -> Option<()> {
    match key {
        PublicKey::Rsa { modulus, exponent } => {
            let exponent = BigUint::from_bytes_be(exponent);
            let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), exponent).ok()?;
            key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature).ok()
        }
        PublicKey::P256 { x, y } => {
            use p256::ecdsa::signature::Verifier;
            let point = p256::EncodedPoint::from_affine_coordinates(x.into(), y.into(), false);
            let key = p256::ecdsa::VerifyingKey::from_encoded_point(&point).ok()?;
            key.verify(message, &p256::ecdsa::Signature::from_slice(signature).ok()?).ok()
        }
        PublicKey::Ed25519(point) => {
            let key = ed25519_dalek::VerifyingKey::from_bytes(point).ok()?;
            let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
            key.verify_strict(message, &signature).ok()
        }
    }
}
