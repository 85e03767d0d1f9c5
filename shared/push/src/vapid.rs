//! The keys by which push services know the sender (RFC 8292).

use std::fmt;

use p256::ecdsa::SigningKey;

use crate::base64url;
use crate::error::{Error, Result};
use crate::subject;

/// Name of the setting.
const SETTING: &str = "VAPID_KEYS";

/// The keys by their names. New subscriptions get the first key, and each subscription keeps its
/// own, so that a key can be replaced: a push service refuses a message that another key signed.
pub struct Vapid(Vec<VapidKey>);

/// A key pair for ES256, and the subject of the tokens that it signs.
#[derive(Clone)]
pub struct VapidKey {
    id: String,
    public: String,
    pub(crate) subject: String,
    pub(crate) private: SigningKey,
}

impl Vapid {
    /// Reads the settings `VAPID_KEYS`, `kid:base64url` with several separated by commas, and
    /// `VAPID_SUBJECT`. A key is the 32 bytes of the private key, from which the public key
    /// follows. Without keys there is no Web Push, and the subject is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`], naming the position of the wrong key, never the key.
    pub fn parse(keys: &str, subject: &str) -> Result<Vapid> {
        let mut all: Vec<VapidKey> = Vec::new();
        for (index, part) in
            keys.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate()
        {
            let key = VapidKey::parse(part, subject)
                .and_then(|key| {
                    let is_new = all.iter().all(|known| known.id != key.id);
                    is_new.then_some(key).ok_or("repeats the kid of an earlier key")
                })
                .map_err(|why| Error::Setting {
                    name: SETTING,
                    why: format!(
                        "is not valid: key {} {why}; `tidewire keys --vapid` makes one",
                        index + 1
                    ),
                })?;
            all.push(key);
        }
        if !all.is_empty() {
            subject::check(subject)?;
        }
        Ok(Vapid(all))
    }

    /// Whether there is no key, and so no Web Push.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key for new subscriptions.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] without a key.
    pub fn first(&self) -> Result<&VapidKey> {
        self.0.first().ok_or_else(|| Error::Setting {
            name: SETTING,
            why: "is not set; `tidewire keys --vapid` makes a key".into(),
        })
    }

    /// The key of a subscription, by its id. `None` if the key is no longer in the setting: nothing
    /// can be sent to the subscription, so remove it.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&VapidKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl VapidKey {
    fn parse(text: &str, subject: &str) -> Result<VapidKey, &'static str> {
        let (id, private) = text.split_once(':').ok_or("is not of the form kid:base64url")?;
        if !(1..=64).contains(&id.len())
            || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err("has an invalid kid: it must be 1 to 64 letters, digits and - _ .");
        }
        let private = base64url::decode::<32>(private).ok_or("must be 32 bytes as base64url")?;
        let private =
            SigningKey::from_slice(&private).map_err(|_| "is not a private key of P-256")?;
        let public = base64url::encode(private.verifying_key().to_encoded_point(false));
        Ok(VapidKey { id: id.into(), public, subject: subject.into(), private })
    }

    /// The name of the key, for the row of a subscription.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as base64url: `applicationServerKey` of a page, and `k` of a request
    /// (section 3.2).
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }
}

impl fmt::Debug for Vapid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}

impl fmt::Debug for VapidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: &str = "mailto:admin@example.com";
    const PRIVATE: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";

    #[test]
    fn the_first_key_is_for_new_subscriptions_and_each_is_found() {
        let other = base64url::encode([7; 32]);
        let vapid = Vapid::parse(&format!("k2:{PRIVATE}=, k1:{other}"), SUBJECT).unwrap();
        let first = vapid.first().unwrap();
        assert_eq!(
            (first.id(), first.public()),
            (
                "k2",
                "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
            )
        );
        assert_eq!(vapid.get("k1").map(VapidKey::id), Some("k1"));
        assert!(vapid.get("k3").is_none());
        assert_eq!(format!("{vapid:?}"), "{k2, k1}");
    }

    #[test]
    fn without_keys_there_is_no_push_and_no_subject_is_needed() {
        let vapid = Vapid::parse(" ", "").unwrap();
        assert!(vapid.is_empty());
        assert!(vapid.first().unwrap_err().to_string().contains("tidewire keys --vapid"));
    }

    #[test]
    fn keys_that_are_wrong_are_named_and_not_shown() {
        let zero = base64url::encode([0; 32]);
        let order = base64url::encode([0xff; 32]);
        for (keys, why) in [
            (PRIVATE.to_owned(), "key 1 is not of the form"),
            (format!("k1:{PRIVATE},k 2:{PRIVATE}"), "key 2 has an invalid kid"),
            (format!(":{PRIVATE}"), "key 1 has an invalid kid"),
            (format!("k1:{PRIVATE},k1:{PRIVATE}"), "key 2 repeats the kid"),
            (format!("k1:{PRIVATE}AA"), "key 1 must be 32 bytes"),
            ("k1:".to_owned(), "key 1 must be 32 bytes"),
            (format!("k1:{zero}"), "key 1 is not a private key"),
            (format!("k1:{order}"), "key 1 is not a private key"),
        ] {
            let error = Vapid::parse(&keys, SUBJECT).unwrap_err().to_string();
            assert!(error.starts_with(&format!("VAPID_KEYS is not valid: {why}")), "{error}");
            assert!(!error.contains(PRIVATE) && !error.contains(&order), "{error}");
        }
        let error = Vapid::parse(&format!("k1:{PRIVATE}"), "").unwrap_err().to_string();
        assert!(error.starts_with("VAPID_SUBJECT is not set"), "{error}");
    }
}
