//! Notifications: one channel for each user. A read mark is an event too, so that every tab and
//! device receives it.
//!
//! This file holds the choices; the rules are in `tidewire-core`, the platforms in `workers.rs` and
//! `spin.rs`.

use tidewire_core::{
    Asset, ChannelName, ContentType, Creation, Error, ErrorKind, Function, Identity, Offset,
    Policy, Result, Retention, Right, Rights, Settings,
};

use tidewire_push::{Meaning, Notice, Urgency, WebPush};

use crate::message::InboxEvent;

mod message;
#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// Longest title, in characters.
const MAX_TITLE_CHARS: usize = 200;
/// Longest body, in characters.
const MAX_BODY_CHARS: usize = 2_000;
/// Longest id and longest address, in bytes.
const MAX_ID_BYTES: usize = 64;
const MAX_URL_BYTES: usize = 2_048;
/// Latest time of a JavaScript date, in milliseconds since 1970.
const MAX_AT_MS: u64 = 8_640_000_000_000_000;
/// Notifications and read marks kept for a user. A mark comes after its notification, so a
/// notification that is kept as unread is unread.
const HISTORY_EVENTS: u64 = 500;
/// Days that they are kept, whatever `RETENTION_MAX_AGE_S` is: a user who returns from a holiday
/// wants to catch up.
const HISTORY_DAYS: u64 = 30;

/// What reaches a closed page, where `VAPID_KEYS` is set.
static PUSH: WebPush = WebPush::new(meaning);

/// The notifications.
pub struct Notifications;

impl Function for Notifications {
    const NAME: &'static str = "notifications";
    const ASSETS: &'static [Asset] = &[
        Asset {
            path: "",
            content_type: "text/html; charset=utf-8",
            body: include_str!("../public/index.html"),
        },
        Asset {
            path: "-/access.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/access.js"),
        },
        Asset {
            path: "-/inbox.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/inbox.js"),
        },
        Asset {
            path: "-/list.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/list.js"),
        },
        Asset {
            path: "-/notifications.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/notifications.js"),
        },
        Asset {
            path: "-/page.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/page.js"),
        },
        Asset {
            path: "-/push.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/push.js"),
        },
        Asset {
            path: "-/push-worker.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/push-worker.js"),
        },
        Asset {
            path: "-/manifest.json",
            content_type: "application/manifest+json",
            body: include_str!("../public/manifest.json"),
        },
        Asset {
            path: "-/icon.svg",
            content_type: "image/svg+xml",
            body: include_str!("../public/icon.svg"),
        },
        Asset {
            path: "-/notifications.css",
            content_type: "text/css; charset=utf-8",
            body: include_str!("../public/notifications.css"),
        },
    ];

    // As ours, and the manifest: an iPhone has Web Push from its Home Screen alone.
    const PAGE_POLICY: &'static str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'none'";

    const WEB_PUSH: bool = true;

    fn policy(settings: &Settings) -> Policy {
        let policy = Policy {
            check: |event, _, _| check(event).map(|()| event.into()),
            ..Policy::new(Creation::OnPublish(ContentType::json()), settings)
        };
        let max_events = policy.retention.max_events.min(HISTORY_EVENTS);
        Policy {
            retention: Retention {
                max_events,
                max_age_ms: HISTORY_DAYS * 24 * 60 * 60 * 1000,
                ..policy.retention
            },
            ..policy
        }
        .with_push(&PUSH, settings)
    }

    // Change this first. A user has the channel `user-` and the subject of the token, and publishes
    // read marks there; a backend has a ticket for `user-*`.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        match identity {
            _ if settings.open_access || channel.is_demo() => Right::Read | Right::Publish,
            Identity::Token(token)
                if channel.as_str().strip_prefix("user-") == Some(&token.subject) =>
            {
                Right::Read | Right::Publish
            }
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Token(_) | Identity::Anonymous => Rights::NONE,
        }
    }
}

/// What an event means for a closed page.
fn meaning(event: &[u8]) -> Meaning {
    match serde_json::from_slice(event) {
        Ok(InboxEvent::Notification { id, title, body, url, at }) => {
            Meaning::Notice(Notice { id, title, body, url, at_ms: at, urgency: Urgency::Normal })
        }
        Ok(InboxEvent::Read { offset }) => offset.parse().map_or(Meaning::Nothing, Meaning::Read),
        Ok(InboxEvent::ReadAll { up_to } | InboxEvent::Seen { up_to }) => {
            up_to.parse().map_or(Meaning::Nothing, Meaning::ReadUpTo)
        }
        // Stored by a version with other events.
        Err(_) => Meaning::Nothing,
    }
}

/// The rules for an event, the same on every transport.
fn check(event: &[u8]) -> Result<()> {
    let refused = |why: String| Error::new(ErrorKind::EventRefused, why);
    let event = serde_json::from_slice(event).map_err(|error| {
        refused(format!("the event is neither a notification nor a read mark: {error}"))
    })?;
    let (id, title, body, url, at) = match event {
        InboxEvent::Notification { id, title, body, url, at } => (id, title, body, url, at),
        InboxEvent::Read { offset }
        | InboxEvent::ReadAll { up_to: offset }
        | InboxEvent::Seen { up_to: offset } => {
            return offset
                .parse::<Offset>()
                .map(|_| ())
                .map_err(|error| refused(error.detail().into()));
        }
    };
    if !(1..=MAX_ID_BYTES).contains(&id.len()) {
        return Err(refused(format!("an id must have 1 to {MAX_ID_BYTES} bytes")));
    }
    if title.trim().is_empty() || title.chars().count() > MAX_TITLE_CHARS {
        return Err(refused(format!("a title must have 1 to {MAX_TITLE_CHARS} characters")));
    }
    if body.chars().count() > MAX_BODY_CHARS {
        return Err(refused(format!("a body must have at most {MAX_BODY_CHARS} characters")));
    }
    // A page makes a link of it: a `javascript:` URL would run there.
    if url.is_some_and(|url| {
        url.len() > MAX_URL_BYTES
            || !["https://", "http://", "/"].iter().any(|start| url.starts_with(start))
    }) {
        return Err(refused(format!(
            "a url must begin with https://, http:// or / and have at most {MAX_URL_BYTES} bytes"
        )));
    }
    if at > MAX_AT_MS {
        return Err(refused(format!("at must be at most {MAX_AT_MS}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidewire_core::{NameShape, Ticket, Token};

    use super::*;

    const NOTIFICATION: &str =
        r#"{"type":"notification","id":"n","title":"T","body":"","url":"/a","at":1}"#;

    fn is_refused(event: &str) -> bool {
        check(event.as_bytes()).is_err_and(|error| error.kind() == ErrorKind::EventRefused)
    }

    #[test]
    fn takes_notifications_and_what_was_read() {
        let offset = "01a3185c5000_00000000000002";
        for event in [
            NOTIFICATION.into(),
            format!(r#"{{"type":"read","offset":"{offset}"}}"#),
            format!(r#"{{"type":"read-all","upTo":"{offset}"}}"#),
            format!(r#"{{"type":"seen","upTo":"{offset}"}}"#),
        ] {
            assert!(check(event.as_bytes()).is_ok(), "{event}");
        }
        for (part, other) in [
            (",\"url\":\"/a\"", ""),
            ("/a", "https://example.com/?a=b"),
            ("\"T\"", &format!("\"{}\"", "é".repeat(MAX_TITLE_CHARS))),
            ("\"body\":\"\"", &format!("\"body\":\"{}\"", "💧".repeat(MAX_BODY_CHARS))),
        ] {
            assert!(check(NOTIFICATION.replace(part, other).as_bytes()).is_ok(), "{other}");
        }
    }

    #[test]
    fn a_closed_page_gets_notifications_and_what_was_seen_or_read_takes_them_back() {
        let offset = "01a3185c5000_00000000000002";
        let Meaning::Notice(notice) = meaning(NOTIFICATION.as_bytes()) else { panic!("no notice") };
        assert_eq!((notice.id.as_str(), notice.url.as_deref(), notice.at_ms), ("n", Some("/a"), 1));
        let offset_of = offset.parse().unwrap();
        for (event, expected) in [
            (format!(r#"{{"type":"read","offset":"{offset}"}}"#), Meaning::Read(offset_of)),
            (format!(r#"{{"type":"read-all","upTo":"{offset}"}}"#), Meaning::ReadUpTo(offset_of)),
            (format!(r#"{{"type":"seen","upTo":"{offset}"}}"#), Meaning::ReadUpTo(offset_of)),
            (r#"{"type":"other"}"#.into(), Meaning::Nothing),
        ] {
            assert_eq!(meaning(event.as_bytes()), expected, "{event}");
        }
    }

    #[test]
    fn refuses_what_passes_the_limits() {
        for (part, other) in [
            ("\"n\"", "\"\"".to_owned()),
            ("\"n\"", format!("\"{}\"", "n".repeat(MAX_ID_BYTES + 1))),
            ("\"T\"", "\" \"".to_owned()),
            ("\"T\"", format!("\"{}\"", "é".repeat(MAX_TITLE_CHARS + 1))),
            ("\"body\":\"\"", format!("\"body\":\"{}\"", "💧".repeat(MAX_BODY_CHARS + 1))),
            ("/a", format!("/{}", "a".repeat(MAX_URL_BYTES))),
            ("\"at\":1", format!("\"at\":{}", MAX_AT_MS + 1)),
        ] {
            assert!(is_refused(&NOTIFICATION.replace(part, &other)), "{other}");
        }
    }

    #[test]
    fn refuses_an_address_that_could_run() {
        for url in ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "a", ""] {
            assert!(is_refused(&NOTIFICATION.replace("/a", url)), "{url}");
        }
    }

    #[test]
    fn refuses_what_is_no_event_of_it() {
        for event in [
            "1",
            "[]",
            r#"{"type":"read"}"#,
            r#"{"type":"read","offset":"now"}"#,
            r#"{"type":"read","offset":1}"#,
            r#"{"type":"read-all","upTo":"zzz"}"#,
            r#"{"type":"unread","offset":"-1"}"#,
            &NOTIFICATION.replace("\"at\":1", "\"at\":1,\"html\":\"<b>\""),
        ] {
            assert!(is_refused(event), "{event}");
        }
    }

    #[test]
    fn a_user_has_one_channel_and_a_backend_those_of_its_ticket() {
        let token = Identity::Token(Token {
            subject: "7".into(),
            claims: Default::default(),
            expires_ms: 1,
        });
        let publish = Right::Publish.into();
        let ticket = Identity::Ticket(Ticket {
            id: None,
            subject: Some("7".into()),
            channels: "user-1*".into(),
            rights: publish,
            expires_ms: 1,
        });
        let rights = |identity: &Identity, channel: &str| {
            Notifications::authorize(
                identity,
                &ChannelName::from_path(channel, NameShape::Segment).unwrap(),
                &Settings::default(),
            )
        };
        assert_eq!(rights(&token, "user-7"), publish | Right::Read);
        assert_eq!(rights(&ticket, "user-17"), publish);
        for (identity, channel) in [
            (&token, "user-77"),
            (&token, "7"),
            (&ticket, "user-7"),
            (&Identity::Anonymous, "user-7"),
        ] {
            assert_eq!(rights(identity, channel), Rights::NONE, "{channel}");
        }
    }

    #[test]
    fn the_page_keeps_as_much() {
        assert!(
            include_str!("../public/inbox.js")
                .contains(&format!("const MAX_NOTIFICATIONS = {HISTORY_EVENTS};"))
        );
    }
}
