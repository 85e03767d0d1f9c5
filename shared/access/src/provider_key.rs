//! One key of a provider.

use std::any::Any;
use std::cell::OnceCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::jwt::Algorithm;

/// Bytes of the modulus of an RSA key: shorter keys can be broken, and longer ones cost too much.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// The modulus has a multiple of so many bytes: WebCrypto on Workers refuses others.
const RSA_STEP: usize = 16;

/// The exponents of RSA keys: WebCrypto on Workers refuses others.
const RSA_EXPONENTS: [&[u8]; 2] = [&[3], &[1, 0, 1]];

/// Bytes of a coordinate of P-256, of a key of Ed25519, and half of their signatures.
const FIELD_BYTES: usize = 32;

/// The points of Ed25519 with a small order, without the sign bit: a signature by such a key fits
/// many messages. Two of them are second encodings, of 0 and 1.
const SMALL_ORDER: [[u8; FIELD_BYTES]; 7] = [
    [0; 32],
    little_endian(1, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    little_endian(0xec, 0xff, 0x7f),
    little_endian(0xed, 0xff, 0x7f),
    little_endian(0xee, 0xff, 0x7f),
];

/// A number in little-endian order: its first byte, those between, and its last.
const fn little_endian(first: u8, between: u8, last: u8) -> [u8; FIELD_BYTES] {
    let mut bytes = [between; FIELD_BYTES];
    bytes[0] = first;
    bytes[FIELD_BYTES - 1] = last;
    bytes
}

/// A public key of a kind that verifies tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RS256: modulus and exponent, in big-endian order, without leading zeros.
    Rsa {
        /// 256 to 512 bytes.
        modulus: Vec<u8>,
        /// 3 or 65537.
        exponent: Vec<u8>,
    },
    /// ES256: a point, which may not be on the curve.
    P256 {
        /// Its first coordinate.
        x: [u8; 32],
        /// Its second coordinate.
        y: [u8; 32],
    },
    /// EdDSA: an encoded point, which may not be on the curve. Its order is not small.
    Ed25519([u8; 32]),
}

impl PublicKey {
    fn read(jwk: &Map<String, Value>) -> Option<PublicKey> {
        let bytes = |name| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
        let field = |name| bytes(name)?.try_into().ok();
        let curve = jwk.get("crv").and_then(Value::as_str);
        match (jwk.get("kty")?.as_str()?, curve) {
            ("RSA", _) => {
                let (modulus, exponent) = (number(bytes("n")?), number(bytes("e")?));
                let is_whole = modulus.first().is_some_and(|first| *first >= 0x80);
                (is_whole
                    && RSA_BYTES.contains(&modulus.len())
                    && modulus.len().is_multiple_of(RSA_STEP)
                    && RSA_EXPONENTS.contains(&&*exponent))
                .then_some(PublicKey::Rsa { modulus, exponent })
            }
            ("EC", Some("P-256")) => Some(PublicKey::P256 { x: field("x")?, y: field("y")? }),
            ("OKP", Some("Ed25519")) => {
                let point = field("x")?;
                (!has_small_order(&point)).then_some(PublicKey::Ed25519(point))
            }
            // A published secret is not secret.
            _ => None,
        }
    }

    /// The key as a JWK with its parameters only.
    pub fn to_jwk(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            PublicKey::Rsa { modulus, exponent } => {
                format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, text(modulus), text(exponent))
            }
            PublicKey::P256 { x, y } => {
                format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, text(x), text(y))
            }
            PublicKey::Ed25519(point) => {
                format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, text(point))
            }
        }
    }
}

/// A key of a provider.
pub struct ProviderKey {
    pub(crate) id: Option<String>,
    key: PublicKey,
    imported: OnceCell<Box<dyn Any>>,
}

impl ProviderKey {
    /// Reads a JWK; `None` for a key for another use, of another algorithm, too weak or unknown.
    pub(crate) fn read(jwk: &Value) -> Option<ProviderKey> {
        let jwk = jwk.as_object()?;
        let present = |name| jwk.get(name).filter(|value| !value.is_null());
        let key = PublicKey::read(jwk)?;
        let id = match present("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.to_owned()),
        };
        let key = ProviderKey { id, key, imported: OnceCell::new() };
        // A provider may omit `alg`: for these kinds of keys only one algorithm is in use.
        let is_for_tokens = present("use").is_none_or(|usage| usage == "sig")
            && present("alg").is_none_or(|named| named == key.algorithm().name())
            && present("key_ops").is_none_or(|operations| {
                operations
                    .as_array()
                    .is_some_and(|operations| operations.iter().any(|named| named == "verify"))
            });
        is_for_tokens.then_some(key)
    }

    /// The key itself.
    pub fn public(&self) -> &PublicKey {
        &self.key
    }

    /// The algorithm follows from the key alone: a token that names another algorithm is refused.
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.key {
            PublicKey::Rsa { .. } => Algorithm::Rs256,
            PublicKey::P256 { .. } => Algorithm::Es256,
            PublicKey::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Whether a signature can be of this key: another length, or a signature of Ed25519 whose
    /// first half has a small order, is refused on every platform.
    pub(crate) fn fits(&self, signature: &[u8]) -> bool {
        match &self.key {
            PublicKey::Rsa { modulus, .. } => signature.len() == modulus.len(),
            PublicKey::P256 { .. } => signature.len() == 2 * FIELD_BYTES,
            PublicKey::Ed25519(_) => {
                signature.len() == 2 * FIELD_BYTES
                    && signature.first_chunk().is_some_and(|point| !has_small_order(point))
            }
        }
    }

    /// What an adapter made of the key and kept here.
    pub fn imported<T: 'static>(&self) -> Option<&T> {
        self.imported.get()?.downcast_ref()
    }

    /// Keeps what an adapter made of the key, as long as the key is kept. The first one stays.
    pub fn keep_imported<T: 'static>(&self, imported: T) {
        let _ = self.imported.set(Box::new(imported));
    }
}

/// A number in big-endian order without leading zeros.
fn number(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

fn has_small_order(point: &[u8; FIELD_BYTES]) -> bool {
    let mut point = *point;
    point[FIELD_BYTES - 1] &= 0x7f;
    SMALL_ORDER.contains(&point)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(jwk: &Value) -> Option<PublicKey> {
        ProviderKey::read(jwk).map(|key| key.public().clone())
    }

    fn text(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn a_key_is_read_and_written_without_what_is_not_its_own() {
        for jwk in [
            json!({"kty": "RSA", "n": text([0xff; 256]), "e": "AQAB"}),
            json!({"kty": "RSA", "n": text([0xff; 512]), "e": "Aw"}),
            json!({"kty": "EC", "crv": "P-256", "x": text([1; 32]), "y": text([2; 32])}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": text([3; 32])}),
        ] {
            let key = read(&jwk).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&key.to_jwk()).unwrap(), jwk);
            let mut more = jwk.clone();
            more["kid"] = json!("k");
            more["x5c"] = json!(7);
            assert_eq!(read(&more), Some(key));
        }
        let zeros = [&[0; 3][..], &[0xff; 256]].concat();
        let jwk = json!({"kty": "RSA", "n": text(zeros), "e": "AAEAAQ"});
        let expected = PublicKey::Rsa { modulus: vec![0xff; 256], exponent: vec![1, 0, 1] };
        assert_eq!(read(&jwk), Some(expected));
    }

    #[test]
    fn a_key_of_another_size_is_not_read() {
        let rsa = |n: &[u8], e: &[u8]| json!({"kty": "RSA", "n": text(n), "e": text(e)});
        let short = [&[0x7f][..], &[0xff; 255]].concat();
        for jwk in [
            rsa(&[], &[1, 0, 1]),
            rsa(&[0xff; 128], &[1, 0, 1]),
            rsa(&[0xff; 255], &[1, 0, 1]),
            rsa(&[0xff; 257], &[1, 0, 1]),
            rsa(&[0xff; 528], &[1, 0, 1]),
            rsa(&short, &[1, 0, 1]),
            rsa(&[0xff; 256], &[]),
            rsa(&[0xff; 256], &[1]),
            rsa(&[0xff; 256], &[2]),
            rsa(&[0xff; 256], &[1, 0, 0]),
            rsa(&[0xff; 256], &[0xff; 256]),
            json!({"kty": "RSA", "n": "=", "e": "AQAB"}),
            json!({"kty": "EC", "crv": "P-256", "x": text([1; 31]), "y": text([2; 33])}),
            json!({"kty": "EC", "crv": "P-384", "x": text([1; 32]), "y": text([2; 32])}),
            json!({"kty": "EC", "crv": "P-256", "x": text([1; 32])}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": text([3; 33])}),
            json!({"kty": "OKP", "crv": "X25519", "x": text([3; 32])}),
        ] {
            assert_eq!(read(&jwk), None, "{jwk}");
        }
    }

    #[test]
    fn points_of_a_small_order_are_known() {
        for mut point in SMALL_ORDER {
            for sign in [0, 0x80] {
                point[31] |= sign;
                let key = ed25519_dalek::VerifyingKey::from_bytes(&point).unwrap();
                assert!(key.is_weak() && has_small_order(&point), "{point:02x?}");
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": text(point)});
                assert_eq!(read(&jwk), None, "{jwk}");
            }
        }
    }

    #[test]
    fn an_adapter_keeps_what_it_made_of_a_key() {
        let key = ProviderKey::read(&json!({"kty": "OKP", "crv": "Ed25519", "x": text([3; 32])}));
        let key = key.unwrap();
        assert_eq!(key.imported::<u8>(), None);
        key.keep_imported(1_u8);
        key.keep_imported(2_u8);
        assert_eq!((key.imported::<u8>(), key.imported::<u16>()), (Some(&1), None));
    }
}
