//! The request to a push service (RFC 8030, section 5).

use std::fmt;

use crate::encrypt::encrypt;
use crate::error::Result;
use crate::limits::RANDOM_BYTES;
use crate::subscription::Subscription;
use crate::token::Token;
use crate::topic::Topic;

/// Longest `TTL` in seconds, 28 days: FCM refuses more.
const MAX_TTL_S: u64 = 2_419_200;

/// `TTL` of a message that names no other, in seconds: a day.
const TTL_S: u64 = 86_400;

/// How soon the service wakes a device on battery (RFC 8030, section 5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// On power and on Wi-Fi only.
    VeryLow,
    /// On power or on Wi-Fi.
    Low,
    /// Also on battery.
    #[default]
    Normal,
    /// Also on a low battery.
    High,
}

/// A message to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// What the service worker of the page gets, at most [`crate::MAX_TEXT_BYTES`].
    pub text: &'a str,
    /// How long the service keeps it for a device that is offline, in seconds: what is left of its
    /// worth. 0 is sent as 1, since Windows refuses 0, and more than 28 days as 28 days.
    pub ttl_s: u64,
    /// How soon the service wakes a device on battery.
    pub urgency: Urgency,
    /// A later message of the same topic replaces this one where it is not yet delivered.
    pub topic: Option<Topic>,
}

/// A `POST` to send, without following redirects.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The endpoint of the subscription.
    pub url: String,
    /// Headers; the platform adds `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The encrypted text.
    pub body: Vec<u8>,
}

impl<'a> Message<'a> {
    /// A message that is worth a day, of normal urgency, that replaces no other.
    #[must_use]
    pub fn new(text: &'a str) -> Message<'a> {
        Message { text, ttl_s: TTL_S, urgency: Urgency::Normal, topic: None }
    }

    /// Encrypts the message and makes its request. The token must be that of the key with which the
    /// subscription was made, for [`Subscription::origin`]. The random bytes must be fresh, as
    /// [`encrypt`] says.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TextTooLong`], [`crate::Error::DrawAgain`].
    pub fn request(
        &self,
        to: &Subscription,
        token: &Token,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<Request> {
        let mut headers = vec![
            ("authorization", token.as_str().to_owned()),
            ("content-encoding", "aes128gcm".to_owned()),
            ("content-type", "application/octet-stream".to_owned()),
            ("ttl", self.ttl_s.clamp(1, MAX_TTL_S).to_string()),
            ("urgency", self.urgency.as_str().to_owned()),
        ];
        if let Some(topic) = &self.topic {
            headers.push(("topic", topic.as_str().to_owned()));
        }
        let body = encrypt(self.text.as_bytes(), to, random)?;
        Ok(Request { url: to.endpoint().into(), headers, body })
    }
}

impl Urgency {
    /// The value of the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Urgency::VeryLow => "very-low",
            Urgency::Low => "low",
            Urgency::Normal => "normal",
            Urgency::High => "high",
        }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes)", self.text.len())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} bytes)", self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PushServices, Vapid};

    const KEYS: &str = "k1:yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";

    fn request(message: &Message<'_>) -> Request {
        let to = Subscription::new(
            "https://web.push.apple.com/QGAa",
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "BTBZMqHH6r4Tts7J_aSIgg",
            &PushServices::default(),
        )
        .unwrap();
        let vapid = Vapid::parse(KEYS, "mailto:admin@example.com").unwrap();
        let token = vapid.first().unwrap().token(to.origin(), 1_800_000_000_000).unwrap();
        message.request(&to, &token, &[7; RANDOM_BYTES]).unwrap()
    }

    fn header(request: &Request, name: &str) -> Option<String> {
        request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn a_message_has_the_headers_of_its_kind() {
        let plain = request(&Message::new("a"));
        for (name, expected) in [
            ("ttl", Some("86400")),
            ("urgency", Some("normal")),
            ("topic", None),
            ("content-encoding", Some("aes128gcm")),
            ("content-type", Some("application/octet-stream")),
        ] {
            assert_eq!(header(&plain, name).as_deref(), expected, "{name}");
        }
        let topic = Topic::of("user-1", "n-1");
        let urgent =
            Message { urgency: Urgency::High, topic: Some(topic.clone()), ..Message::new("a") };
        let urgent = request(&urgent);
        assert_eq!(header(&urgent, "urgency").as_deref(), Some("high"));
        assert_eq!(header(&urgent, "topic").as_deref(), Some(topic.as_str()));
    }

    #[test]
    fn no_service_gets_a_ttl_that_it_refuses() {
        for (ttl_s, sent) in [
            (0, "1"),
            (60, "60"),
            (MAX_TTL_S, "2419200"),
            (MAX_TTL_S + 1, "2419200"),
            (u64::MAX, "2419200"),
        ] {
            let request = request(&Message { ttl_s, ..Message::new("a") });
            assert_eq!(header(&request, "ttl").as_deref(), Some(sent));
        }
    }

    #[test]
    fn a_log_shows_neither_text_nor_endpoint() {
        let message = Message::new("secret");
        let shown = format!("{message:?} {:?}", request(&message));
        assert_eq!(shown, "Message(6 bytes) Request(109 bytes)");
    }
}
