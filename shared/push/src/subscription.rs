//! Where a message goes: an address of a push service, and the keys of a browser.

use std::borrow::Cow;
use std::fmt;

use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{EncodedPoint, PublicKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::base64url;
use crate::error::{Error, Refusal, Result};
use crate::limits::{KEY_BYTES, MAX_ENDPOINT_BYTES};
use crate::services::PushServices;

/// A subscription that a user sent, checked. Check it again when it is read from a store: the list
/// of services may have changed.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    endpoint: String,
    /// Length of the origin at its beginning.
    origin_bytes: usize,
    key: PublicKey,
    secret: [u8; 16],
}

/// `JSON.stringify(subscription)` in a browser (Push API, section 7.1). Other members are ignored:
/// no browser sets `expirationTime`.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    endpoint: Cow<'a, str>,
    #[serde(borrow)]
    keys: Keys<'a>,
}

#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    p256dh: Cow<'a, str>,
    #[serde(borrow)]
    auth: Cow<'a, str>,
}

impl Subscription {
    /// Reads what a page sends: `JSON.stringify(subscription)`. Limit the body before: this reads
    /// it to its end.
    ///
    /// # Errors
    ///
    /// [`Error::Subscription`].
    pub fn from_json(body: &[u8], services: &PushServices) -> Result<Subscription> {
        let json: Json<'_> =
            serde_json::from_slice(body).map_err(|_| Error::from(Refusal::NotJson))?;
        Subscription::new(&json.endpoint, &json.keys.p256dh, &json.keys.auth, services)
    }

    /// Checks the three parts of a subscription. `p256dh` and `auth` are base64url, with or without
    /// padding.
    ///
    /// An endpoint is taken only as a browser writes it: visible ASCII, in lower case up to the
    /// path, without the default port, a dot after the host or a fragment. So each subscription has
    /// one endpoint, which can be its key in a store.
    ///
    /// # Errors
    ///
    /// [`Error::Subscription`].
    pub fn new(
        endpoint: &str,
        p256dh: &str,
        auth: &str,
        services: &PushServices,
    ) -> Result<Subscription> {
        if endpoint.len() > MAX_ENDPOINT_BYTES {
            return Err(Refusal::EndpointTooLong.into());
        }
        let origin_bytes = services.check(endpoint)?;
        // Characters that a URL cannot have (URL standard, percent-encode sets), and the fragment.
        let is_url = endpoint
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte));
        if !is_url || endpoint.as_bytes().get(origin_bytes) != Some(&b'/') {
            return Err(Refusal::EndpointMalformed.into());
        }
        let key = base64url::decode::<KEY_BYTES>(p256dh)
            .and_then(|point| PublicKey::from_sec1_bytes(&point).ok())
            .ok_or(Refusal::KeyInvalid)?;
        let secret = base64url::decode(auth).ok_or(Refusal::SecretInvalid)?;
        Ok(Subscription { endpoint: endpoint.into(), origin_bytes, key, secret })
    }

    /// The address to which messages are sent. It lets everyone send, so it belongs into a store
    /// and nowhere else.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The origin of the push service, as `https://fcm.googleapis.com`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.endpoint.get(..self.origin_bytes).unwrap_or_default()
    }

    /// The public key of the browser as base64url, without padding.
    #[must_use]
    pub fn p256dh(&self) -> String {
        base64url::encode(self.point())
    }

    /// The secret of the browser as base64url, without padding.
    #[must_use]
    pub fn auth(&self) -> String {
        base64url::encode(self.secret)
    }

    /// Names the subscription in a log: the host, and 8 hexadecimal digits of a hash of the
    /// endpoint, as `fcm.googleapis.com#1f2e3d4c`.
    #[must_use]
    pub fn label(&self) -> String {
        let host = self.origin().split_once("://").map_or("", |(_, host)| host);
        let digest: [u8; 32] = Sha256::digest(&self.endpoint).into();
        let [a, b, c, d, ..] = digest;
        format!("{host}#{:08x}", u32::from_be_bytes([a, b, c, d]))
    }

    /// Names the subscription where its user may see it: 32 hexadecimal digits of a hash of the
    /// endpoint.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256::digest(&self.endpoint);
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The public key, uncompressed.
    pub(crate) fn point(&self) -> EncodedPoint {
        self.key.to_encoded_point(false)
    }

    pub(crate) fn secret(&self) -> &[u8; 16] {
        &self.secret
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ENDPOINT: &str = "https://fcm.googleapis.com/fcm/send/a";
    const KEY: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const SECRET: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn of(json: &Value) -> Result<Subscription> {
        Subscription::from_json(json.to_string().as_bytes(), &PushServices::default())
    }

    fn refusal(endpoint: &str, key: &str, secret: &str) -> Option<Refusal> {
        match Subscription::new(endpoint, key, secret, &PushServices::default()) {
            Err(Error::Subscription(refusal)) => Some(refusal),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    }

    #[test]
    fn what_a_browser_sends_is_read_and_can_be_stored() {
        let read = of(&json!({
            "endpoint": ENDPOINT,
            "expirationTime": null,
            "keys": {"p256dh": format!("{KEY}="), "auth": format!("{SECRET}==")},
        }))
        .unwrap();
        assert_eq!(
            (read.endpoint(), read.origin(), &*read.p256dh(), &*read.auth()),
            (ENDPOINT, "https://fcm.googleapis.com", KEY, SECRET)
        );
        let stored = Subscription::new(
            read.endpoint(),
            &read.p256dh(),
            &read.auth(),
            &PushServices::default(),
        );
        assert_eq!(stored, Ok(read));
    }

    #[test]
    fn what_is_no_subscription_is_refused() {
        let keys = json!({"p256dh": KEY, "auth": SECRET});
        for json in [
            json!(null),
            json!([]),
            json!("text"),
            json!({}),
            json!({"endpoint": ENDPOINT}),
            json!({"endpoint": null, "keys": keys}),
            json!({"endpoint": 7, "keys": keys}),
            json!({"endpoint": [ENDPOINT], "keys": keys}),
            json!({"endpoint": ENDPOINT, "keys": null}),
            json!({"endpoint": ENDPOINT, "keys": {"p256dh": KEY}}),
            json!({"endpoint": ENDPOINT, "keys": {"p256dh": 1, "auth": SECRET}}),
        ] {
            assert_eq!(of(&json), Err(Refusal::NotJson.into()), "{json}");
        }
        for body in [&b""[..], b"{", b"\xff", &b"[".repeat(100_000)] {
            let read = Subscription::from_json(body, &PushServices::default());
            assert_eq!(read, Err(Refusal::NotJson.into()));
        }
    }

    #[test]
    fn an_endpoint_has_a_length_and_characters() {
        for (path, expected) in [
            ("a".repeat(MAX_ENDPOINT_BYTES - ENDPOINT.len()), None),
            ("a".repeat(MAX_ENDPOINT_BYTES - ENDPOINT.len() + 1), Some(Refusal::EndpointTooLong)),
            ("a".repeat(100 * 1024), Some(Refusal::EndpointTooLong)),
            ("?a=b&c=%2F:@!$'()*+,;=~".to_owned(), None),
            ("#fragment".to_owned(), Some(Refusal::EndpointMalformed)),
            (" ".to_owned(), Some(Refusal::EndpointMalformed)),
            ("\r\nHost: evil.example".to_owned(), Some(Refusal::EndpointMalformed)),
            ("\0".to_owned(), Some(Refusal::EndpointMalformed)),
            ("\u{fc}".to_owned(), Some(Refusal::EndpointMalformed)),
            ("\\a".to_owned(), Some(Refusal::EndpointMalformed)),
            ("\"<a>".to_owned(), Some(Refusal::EndpointMalformed)),
        ] {
            assert_eq!(refusal(&format!("{ENDPOINT}{path}"), KEY, SECRET), expected, "{path:.20?}");
        }
        for endpoint in ["https://fcm.googleapis.com?a", "https://fcm.googleapis.com\\a"] {
            assert_eq!(refusal(endpoint, KEY, SECRET), Some(Refusal::EndpointMalformed));
        }
    }

    #[test]
    fn keys_that_cannot_be_those_of_a_browser_are_refused() {
        let point: [u8; 65] = base64url::decode(KEY).unwrap();
        let compressed = [&[2], &point[1..33]].concat();
        let mut off_the_curve = point;
        off_the_curve[64] ^= 1;
        let tagged = |tag: u8| [&[tag], &point[1..]].concat();
        for (why, key) in [
            ("empty", base64url::encode(b"")),
            ("compressed", base64url::encode(compressed)),
            ("not on the curve", base64url::encode(off_the_curve)),
            ("zero", base64url::encode([0; 65])),
            ("the point at infinity", base64url::encode([0])),
            ("zero coordinates", base64url::encode([&[4], &[0; 64][..]].concat())),
            ("beyond the field", base64url::encode([&[4], &[0xff; 64][..]].concat())),
            ("hybrid", base64url::encode(tagged(6))),
            ("tag of a compressed point", base64url::encode(tagged(2))),
            ("a byte too many", base64url::encode([&point[..], &[0]].concat())),
            ("a byte too few", base64url::encode(&point[..64])),
            ("base64", KEY.replace('_', "/").replace('-', "+")),
            ("hexadecimal", "04".repeat(65)),
            ("blanks", format!(" {KEY}")),
            ("long", "A".repeat(100 * 1024)),
        ] {
            assert_eq!(refusal(ENDPOINT, &key, SECRET), Some(Refusal::KeyInvalid), "{why}");
        }
        for (why, secret) in [
            ("empty", ""),
            ("15 bytes", "AAAAAAAAAAAAAAAAAAAA"),
            ("17 bytes", "AAAAAAAAAAAAAAAAAAAAAAA"),
            ("base64", "BTBZMqHH6r4Tts7J/aSIgg=="),
            ("bits that are left over", "BTBZMqHH6r4Tts7J_aSIgh"),
            ("not base64", "BTBZMqHH6r4Tts7J_aSIg!"),
        ] {
            assert_eq!(refusal(ENDPOINT, KEY, secret), Some(Refusal::SecretInvalid), "{why}");
        }
    }

    #[test]
    fn a_log_names_the_service_and_not_the_endpoint() {
        let read = Subscription::new(ENDPOINT, KEY, SECRET, &PushServices::default()).unwrap();
        let (host, hash) =
            read.label().split_once('#').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!((host.as_str(), hash.len()), ("fcm.googleapis.com", 8));
        assert_eq!(format!("{read:?}"), read.label());
        for refusal in [Refusal::KeyInvalid, Refusal::ServiceUnknown] {
            assert!(!Error::from(refusal).to_string().contains("/fcm/send"));
        }
    }
}
