//! The body of a message (RFC 8291), which only the browser of the subscription can read.

use hkdf::Hkdf;
use p256::SecretKey;
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use sha2::Sha256;

use crate::coding::{self, Coding};
use crate::error::{Error, Result};
use crate::limits::{MAX_BODY_BYTES, MAX_TEXT_BYTES, RANDOM_BYTES, SALT_BYTES};
use crate::subscription::Subscription;

/// Encrypts a text for a subscription, and returns the body of the request. It is 103 bytes longer
/// than the text.
///
/// The random bytes must be fresh for each message and from a cryptographic source: with repeated
/// bytes a push service could read the texts.
///
/// # Errors
///
/// [`Error::TextTooLong`], [`Error::DrawAgain`].
pub fn encrypt(text: &[u8], to: &Subscription, random: &[u8; RANDOM_BYTES]) -> Result<Vec<u8>> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::TextTooLong { bytes: text.len() });
    }
    let (salt, private) = random.split_first_chunk::<SALT_BYTES>().ok_or(Error::Primitive)?;
    let private = SecretKey::from_slice(private).map_err(|_| Error::DrawAgain)?;
    let public = private.public_key().to_encoded_point(false);
    let shared = diffie_hellman(private.to_nonzero_scalar(), to.key().as_affine());

    // Sections 3.3 and 3.4.
    let info = [b"WebPush: info\0", to.point().as_bytes(), public.as_bytes()].concat();
    let mut input = [0; 32];
    Hkdf::<Sha256>::new(Some(to.secret()), shared.raw_secret_bytes())
        .expand(&info, &mut input)
        .map_err(|_| Error::Primitive)?;

    let mut body = coding::header(salt, MAX_BODY_BYTES.into(), public.as_bytes());
    Coding::new(&input, salt)?.append(&mut body, 0, text, &[2])?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PushServices;
    use crate::base64url;

    /// The subscription of RFC 8291, appendix A.
    fn to() -> Subscription {
        Subscription::new(
            "https://fcm.googleapis.com/fcm/send/a",
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "BTBZMqHH6r4Tts7J_aSIgg",
            &PushServices::default(),
        )
        .unwrap()
    }

    fn random() -> [u8; RANDOM_BYTES] {
        let salt: [u8; 16] = base64url::decode("DGv6ra1nlYgDCS1FRnbzlw").unwrap();
        let private: [u8; 32] =
            base64url::decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw").unwrap();
        [&salt[..], &private].concat().try_into().unwrap()
    }

    #[test]
    fn the_body_is_that_of_the_rfc() {
        assert_eq!(
            base64url::encode(
                encrypt(b"When I grow up, I want to be a watermelon", &to(), &random()).unwrap()
            ),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn the_longest_text_fills_the_body() {
        assert_eq!(MAX_TEXT_BYTES, 3993);
        let body = encrypt(&[b'a'; MAX_TEXT_BYTES], &to(), &random()).unwrap();
        assert_eq!(body.len(), usize::from(MAX_BODY_BYTES));
        assert_eq!(
            encrypt(&[b'a'; MAX_TEXT_BYTES + 1], &to(), &random()),
            Err(Error::TextTooLong { bytes: 3994 })
        );
        assert_eq!(encrypt(b"", &to(), &random()).unwrap().len(), 103);
    }

    #[test]
    fn random_bytes_that_are_not_a_key_are_drawn_again() {
        for byte in [0, 0xff] {
            assert_eq!(encrypt(b"a", &to(), &[byte; RANDOM_BYTES]), Err(Error::DrawAgain));
        }
    }
}
