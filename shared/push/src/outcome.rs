//! The meaning of a push service's answer (RFC 8030, sections 5 and 8.4, and the habits of
//! services).

use crate::retry_after::retry_after_ms;

/// Longest reason in characters.
const MAX_REASON: usize = 80;

/// Longest word of a reason in characters; a longer one may be a key, a token or an endpoint.
const MAX_WORD: usize = 40;

/// The shortest wait after "too many requests", in milliseconds.
const BUSY_MS: u64 = 60_000;

/// The result of an attempt to send a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service has the message. It promises no delivery.
    Sent,
    /// The subscription has ended, or cannot be used with any of our keys.
    Gone,
    /// The service cannot take it now.
    Later {
        /// The wait that the service wants, in milliseconds; `None` if it names no time.
        retry_after_ms: Option<u64>,
        /// It refuses all messages for now, also for other subscriptions (429).
        whole_service: bool,
    },
    /// The message is too large for the service.
    TooLarge,
    /// The service refuses what we sent. Log the reason with [`Fault::advice`].
    OurFault {
        /// What is wrong.
        fault: Fault,
        /// The service's words, at most 80 characters, without keys and addresses.
        reason: String,
    },
}

/// The part of a request that a service refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The token: the key, the subject or the clock is wrong, for every message to the service.
    Token,
    /// The key: the subscription was made with another key.
    OtherKey,
    /// The request.
    Request,
}

impl Outcome {
    /// Reads an answer: its status, its headers by their names in lower case, and the beginning of
    /// its body, of which a kilobyte suffices.
    pub fn of(
        status: u16,
        header: impl Fn(&str) -> Option<String>,
        body: &[u8],
        now_ms: u64,
    ) -> Outcome {
        let wait_ms = || retry_after_ms(&header("retry-after")?, now_ms);
        // Windows explains itself in a header.
        let said = header("x-wns-error-description")
            .unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        let our = |fault| Outcome::OurFault { fault, reason: reason(&said) };
        match status {
            200..=299 => Outcome::Sent,
            // Mozilla's bridge redirects from a token that has moved.
            300..=399 | 404 | 410 => Outcome::Gone,
            400 if said.contains("VapidPkHashMismatch") => Outcome::Gone,
            401 | 403 if said.contains("correspond") => our(Fault::OtherKey),
            401 | 403 => our(Fault::Token),
            413 => Outcome::TooLarge,
            // Windows answers 406 in the place of 429.
            406 | 429 => Outcome::Later {
                retry_after_ms: Some(wait_ms().unwrap_or_default().max(BUSY_MS)),
                whole_service: true,
            },
            408 | 500..=599 => Outcome::Later { retry_after_ms: wait_ms(), whole_service: false },
            _ => our(Fault::Request),
        }
    }

    /// No answer within 10 seconds, or no connection.
    #[must_use]
    pub fn unanswered() -> Outcome {
        Outcome::Later { retry_after_ms: None, whole_service: false }
    }
}

impl Fault {
    /// What the operator should do, for the log.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Fault::Token => "check VAPID_KEYS, VAPID_SUBJECT and the clock of the server",
            Fault::OtherKey => {
                "the subscription was made with another key: keep the old key in VAPID_KEYS, after the new one"
            }
            Fault::Request => "the push service does not accept the request",
        }
    }
}

/// The service's words on one line, without keys and addresses.
fn reason(said: &str) -> String {
    let words = said.split(|character: char| character.is_whitespace() || character.is_control());
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(|word| if word.chars().count() > MAX_WORD { "[long]" } else { word })
        .collect();
    words.join(" ").chars().take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 784_111_717_000;

    fn of(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
        let header = |name: &str| {
            headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Outcome::of(status, header, body.as_bytes(), NOW_MS)
    }

    fn later(retry_after_ms: Option<u64>, whole_service: bool) -> Outcome {
        Outcome::Later { retry_after_ms, whole_service }
    }

    #[test]
    fn each_status_has_its_meaning() {
        for (status, headers, expected) in [
            (200, &[][..], Outcome::Sent),
            (201, &[("location", "https://a.example/m/1")], Outcome::Sent),
            (202, &[], Outcome::Sent),
            (301, &[("location", "https://127.0.0.1/")], Outcome::Gone),
            (307, &[], Outcome::Gone),
            (404, &[], Outcome::Gone),
            (410, &[], Outcome::Gone),
            (413, &[], Outcome::TooLarge),
            (408, &[], later(None, false)),
            (429, &[], later(Some(60_000), true)),
            (429, &[("retry-after", "5")], later(Some(60_000), true)),
            (429, &[("retry-after", "300")], later(Some(300_000), true)),
            (429, &[("retry-after", "soon")], later(Some(60_000), true)),
            (406, &[("retry-after", "120")], later(Some(120_000), true)),
            (500, &[], later(None, false)),
            (502, &[("retry-after", "0")], later(Some(0), false)),
            (503, &[("retry-after", "90")], later(Some(90_000), false)),
            (503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], later(Some(60_000), false)),
        ] {
            assert_eq!(of(status, headers, ""), expected, "{status} {headers:?}");
        }
        assert_eq!(Outcome::unanswered(), later(None, false));
    }

    #[test]
    fn a_refusal_says_which_fault_is_ours() {
        for (status, headers, body, fault, reason) in [
            (
                400,
                &[][..],
                r#"{"reason":"BadWebPushTopic"}"#,
                Fault::Request,
                r#"{"reason":"BadWebPushTopic"}"#,
            ),
            (
                400,
                &[("x-wns-error-description", "Ttl value conflicts with X-WNS-Cache-Policy")],
                "",
                Fault::Request,
                "Ttl value conflicts with X-WNS-Cache-Policy",
            ),
            (401, &[], r#"{"code":401,"errno":109}"#, Fault::Token, r#"{"code":401,"errno":109}"#),
            (403, &[], r#"{"reason":"BadJwtToken"}"#, Fault::Token, r#"{"reason":"BadJwtToken"}"#),
            (
                403,
                &[],
                "the VAPID credentials in the authorization header do not correspond to the credentials used to create the subscriptions.",
                Fault::OtherKey,
                "the VAPID credentials in the authorization header do not correspond to the crede",
            ),
            (
                403,
                &[],
                "the key does not correspond to the sender ID",
                Fault::OtherKey,
                "the key does not correspond to the sender ID",
            ),
            (100, &[], "", Fault::Request, ""),
            (405, &[], "", Fault::Request, ""),
            (418, &[], "\u{1b}[31m\r\n a\0b ", Fault::Request, "[31m a b"),
        ] {
            let expected = Outcome::OurFault { fault, reason: reason.into() };
            assert_eq!(of(status, headers, body), expected, "{status} {body}");
            assert!(!fault.advice().is_empty());
        }
        assert_eq!(of(400, &[], r#"{"reason":"VapidPkHashMismatch"}"#), Outcome::Gone);
    }

    #[test]
    fn a_reason_has_no_key_and_no_address() {
        let endpoint = format!("https://fcm.googleapis.com/fcm/send/{}", "a".repeat(60));
        let Outcome::OurFault { reason, .. } =
            of(400, &[], &format!("cannot send to {endpoint} now"))
        else {
            panic!("it is our fault")
        };
        assert_eq!(reason, "cannot send to [long] now");
        let bytes = Outcome::of(400, |_| None, &[0xff; 10_000], NOW_MS);
        assert!(matches!(bytes, Outcome::OurFault { reason, .. } if reason == "[long]"));
    }
}
