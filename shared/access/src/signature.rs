//! The verified signature algorithms, each by the crate that implements it; and the signature of
//! our own tickets.

use std::sync::Once;

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Must run before the first token is read or made: without it jsonwebtoken panics.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails if the program has installed a provider already, which serves as well.
        let _ = PROVIDER.install_default();
    });
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(TicketSignature(mac(key.as_bytes())?))),
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let check = match (algorithm, key.kind()) {
        (Algorithm::HS256, DecodingKeyKind::SecretOrDer(secret)) => Check::Hs256(mac(secret)?),
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            let key = RsaPublicKey::new(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
            Check::Rs256(key.map_err(|_| ErrorKind::InvalidKeyFormat)?)
        }
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => Check::Es256(
            p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map_err(|_| ErrorKind::InvalidEcdsaKey)?,
        ),
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => Check::EdDsa(
            ed25519_dalek::VerifyingKey::try_from(point.as_slice())
                .map_err(|_| ErrorKind::InvalidEddsaKey)?,
        ),
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    Ok(Box::new(check))
}

fn mac(secret: &[u8]) -> Result<Hmac<Sha256>> {
    Hmac::new_from_slice(secret).map_err(|_| ErrorKind::InvalidKeyFormat.into())
}

struct TicketSignature(Hmac<Sha256>);

impl Signer<Vec<u8>> for TicketSignature {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for TicketSignature {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

enum Check {
    Hs256(Hmac<Sha256>),
    Rs256(RsaPublicKey),
    Es256(p256::ecdsa::VerifyingKey),
    EdDsa(ed25519_dalek::VerifyingKey),
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        match self {
            // Compares in constant time.
            Check::Hs256(mac) => {
                mac.clone().chain_update(message).verify_slice(signature).map_err(|_| Error::new())
            }
            Check::Rs256(key) => key
                .verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature)
                .map_err(|_| Error::new()),
            Check::Es256(key) => {
                key.verify(message, &p256::ecdsa::Signature::from_slice(signature)?)
            }
            Check::EdDsa(key) => {
                key.verify_strict(message, &ed25519_dalek::Signature::from_slice(signature)?)
            }
        }
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        match self {
            Check::Hs256(_) => Algorithm::HS256,
            Check::Rs256(_) => Algorithm::RS256,
            Check::Es256(_) => Algorithm::ES256,
            Check::EdDsa(_) => Algorithm::EdDSA,
        }
    }
}
