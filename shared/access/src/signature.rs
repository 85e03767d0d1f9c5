//! The signature of our own tickets, HS256.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The signature of a message; `None` for a key that cannot be used, which no key is.
pub(crate) fn sign(secret: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    Some(mac(secret, message)?.finalize().into_bytes().to_vec())
}

/// Whether this is the signature of the message. Compares in constant time.
pub(crate) fn is_signed(secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    mac(secret, message).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

fn mac(secret: &[u8], message: &[u8]) -> Option<Hmac<Sha256>> {
    Some(Hmac::new_from_slice(secret).ok()?.chain_update(message))
}
