//! The content coding `aes128gcm` (RFC 8188): a header, then encrypted records.

use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes128Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::error::{Error, Result};
use crate::limits::SALT_BYTES;

/// The header (section 2.1): salt, record size, id of the key.
pub(crate) fn header(salt: &[u8; SALT_BYTES], record_bytes: u32, key_id: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(record_bytes as usize);
    header.extend(salt);
    header.extend(record_bytes.to_be_bytes());
    // Ours is a public key of 65 bytes.
    header.push(u8::try_from(key_id.len()).unwrap_or(u8::MAX));
    header.extend(key_id);
    header
}

/// The key and the nonce of one body.
pub(crate) struct Coding {
    cipher: Aes128Gcm,
    nonce: [u8; 12],
}

impl Coding {
    /// Derives both from the input keying material and the salt (sections 2.2 and 2.3).
    pub(crate) fn new(input: &[u8], salt: &[u8; SALT_BYTES]) -> Result<Coding> {
        let keys = Hkdf::<Sha256>::new(Some(salt), input);
        let (mut key, mut nonce) = ([0; 16], [0; 12]);
        keys.expand(b"Content-Encoding: aes128gcm\0", &mut key).map_err(|_| Error::Primitive)?;
        keys.expand(b"Content-Encoding: nonce\0", &mut nonce).map_err(|_| Error::Primitive)?;
        Ok(Coding { cipher: Aes128Gcm::new(&key.into()), nonce })
    }

    /// Appends a record to the body: the text, the delimiter (`2` ends the last record, `1` every
    /// other), the tag. `sequence` counts the records of the body from 0.
    pub(crate) fn append(
        &self,
        body: &mut Vec<u8>,
        sequence: u32,
        text: &[u8],
        delimiter: &[u8],
    ) -> Result<()> {
        let mut nonce = self.nonce;
        for (byte, part) in nonce.iter_mut().rev().zip(sequence.to_le_bytes()) {
            *byte ^= part;
        }
        let mut record = [text, delimiter].concat();
        let tag = self
            .cipher
            .encrypt_in_place_detached(&nonce.into(), &[], &mut record)
            .map_err(|_| Error::Primitive)?;
        body.append(&mut record);
        body.extend(tag);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url;

    /// RFC 8188, section 3.1.
    #[test]
    fn a_body_of_one_record_is_that_of_the_rfc() {
        let salt = base64url::decode("I1BsxtFttlv3u_Oo94xnmw").unwrap();
        let input: [u8; 16] = base64url::decode("yqdlZ-tYemfogSmv7Ws5PQ").unwrap();
        let mut body = header(&salt, 4096, b"");
        Coding::new(&input, &salt).unwrap().append(&mut body, 0, b"I am the walrus", &[2]).unwrap();
        assert_eq!(
            base64url::encode(body),
            "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg"
        );
    }

    /// RFC 8188, section 3.2: the first record is padded by one byte.
    #[test]
    fn a_body_of_two_records_is_that_of_the_rfc() {
        let salt = base64url::decode("uNCkWiNYzKTnBN9ji3-qWA").unwrap();
        let input: [u8; 16] = base64url::decode("BO3ZVPxUlnLORbVGMpbT1Q").unwrap();
        let coding = Coding::new(&input, &salt).unwrap();
        let mut body = header(&salt, 25, b"a1");
        coding.append(&mut body, 0, b"I am th", &[1, 0]).unwrap();
        coding.append(&mut body, 1, b"e walrus", &[2]).unwrap();
        assert_eq!(
            base64url::encode(body),
            "uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA"
        );
    }
}
