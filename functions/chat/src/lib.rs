//! Rooms: history, who is here, who is typing.
//!
//! This file holds the choices; the rules are in `tidewire-core`, the platforms in `workers.rs` and
//! `spin.rs`.

use std::borrow::Cow;

use tidewire_core::{
    Asset, ChannelName, ContentType, Creation, Error, ErrorKind, Function, Grant, Identity, Offset,
    Policy, Presence, Rate, Result, Right, Rights, Settings,
};

use crate::message::RoomEvent;

mod message;
#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// Longest text of a message, in characters.
const MAX_TEXT_CHARS: usize = 2_000;
/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 40;
/// Longest id that a page gives a message or a person, in bytes.
const MAX_ID_BYTES: usize = 64;
/// Messages kept in a room, unless the setting `RETENTION_MAX_EVENTS` is lower.
const HISTORY_MESSAGES: u64 = 1_000;
/// How often one person may send, at once or spread; for clients without a ticket, how often one
/// page may.
const RATE: Rate = Rate { events: 10, per_ms: 10_000 };
/// How often all clients without a ticket may send together: nobody can read faster.
const ANONYMOUS_RATE: Rate = Rate { events: 200, per_ms: 10_000 };

/// The chat.
pub struct Chat;

impl Function for Chat {
    const NAME: &'static str = "chat";
    const ASSETS: &'static [Asset] = &[
        Asset {
            path: "",
            content_type: "text/html; charset=utf-8",
            body: include_str!("../public/index.html"),
        },
        Asset {
            path: "-/chat.css",
            content_type: "text/css; charset=utf-8",
            body: include_str!("../public/chat.css"),
        },
        Asset {
            path: "-/access.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/access.js"),
        },
        Asset {
            path: "-/chat.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/chat.js"),
        },
        Asset {
            path: "-/messages.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/messages.js"),
        },
        Asset {
            path: "-/outbox.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/outbox.js"),
        },
        Asset {
            path: "-/page.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/page.js"),
        },
        Asset {
            path: "-/people.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/people.js"),
        },
        Asset {
            path: "-/room.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/room.js"),
        },
    ];

    fn policy(settings: &Settings) -> Policy {
        let mut policy = Policy {
            check,
            rate: Some(RATE),
            anonymous_rate: Some(ANONYMOUS_RATE),
            presence: Some(Presence::from_settings(settings)),
            tombstone: Some(tombstone),
            ..Policy::new(Creation::OnPublish(ContentType::json()), settings)
        };
        policy.retention.max_events = policy.retention.max_events.min(HISTORY_MESSAGES);
        policy
    }

    // Change this first: any signed-in user may join every room; the claim `role` makes a
    // moderator. A ticket grants the rights that it names.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        let member = Right::Read | Right::Publish | Right::Presence;
        match identity {
            _ if settings.open_access || channel.is_demo() => member,
            Identity::Token(token)
                if token.claims.get("role").is_some_and(|role| role == "moderator") =>
            {
                member | Right::Manage
            }
            Identity::Token(_) => member,
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Anonymous => Rights::NONE,
        }
    }
}

/// The tombstone of a deleted message. No page can send it: `check` accepts only messages.
fn tombstone(offset: Offset) -> Vec<u8> {
    // A type and a string: serializing them cannot fail.
    serde_json::to_vec(&RoomEvent::Deleted { offset: offset.to_string() }).unwrap_or_default()
}

/// The rules for a message, the same over WebSocket and HTTP. A client whose credential has a
/// subject writes as that subject, whatever the page says.
fn check<'a>(event: &'a [u8], grant: &Grant, _now_ms: u64) -> Result<Cow<'a, [u8]>> {
    let refused = |why: String| Error::new(ErrorKind::EventRefused, why);
    let mut message = serde_json::from_slice(event)
        .map_err(|error| refused(format!("the event is not a message: {error}")))?;
    let RoomEvent::Message { id, from, text, .. } = &mut message else {
        return Err(refused("an event must have the type `message`: to delete a message, send DELETE to its own address".into()));
    };
    if ![&*id, &from.id].iter().all(|id| (1..=MAX_ID_BYTES).contains(&id.len())) {
        return Err(refused(format!("an id must have 1 to {MAX_ID_BYTES} bytes")));
    }
    if text.trim().is_empty() || text.chars().count() > MAX_TEXT_CHARS {
        return Err(refused(format!("a text must have 1 to {MAX_TEXT_CHARS} characters")));
    }
    if from.name.trim().is_empty() || from.name.chars().count() > MAX_NAME_CHARS {
        return Err(refused(format!("a name must have 1 to {MAX_NAME_CHARS} characters")));
    }
    if !is_color(&from.color) {
        return Err(refused("a color must have the form #rrggbb".into()));
    }
    match &grant.subject {
        None if from.verified.is_some() => {
            Err(refused("only a credential with a subject makes an author verified".into()))
        }
        None => Ok(event.into()),
        Some(subject) => {
            from.id.clone_from(subject);
            from.verified = Some(true);
            // Texts and a number: serializing them cannot fail.
            Ok(serde_json::to_vec(&message).unwrap_or_default().into())
        }
    }
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| {
        digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, color: &str, text: &str) -> Option<ErrorKind> {
        let text = serde_json::to_string(text).expect("text is JSON");
        let event = format!(
            r#"{{"type":"message","id":"m","from":{{"id":"p","name":"{name}","color":"{color}"}},"text":{text},"at":1}}"#
        );
        check(event.as_bytes(), &Grant::default(), 0).err().map(|error| error.kind())
    }

    #[test]
    fn takes_a_message_up_to_its_limits() {
        assert_eq!(checked("A", "#000000", "x"), None);
        assert_eq!(checked(&"é".repeat(40), "#aAbBcC", &"💧\n".repeat(1_000)), None);
    }

    #[test]
    fn refuses_what_passes_them() {
        let refused = Some(ErrorKind::EventRefused);
        for (name, color, text) in [
            ("", "#000000", "x"),
            (" ", "#000000", "x"),
            (&"é".repeat(41), "#000000", "x"),
            ("A", "red", "x"),
            ("A", "#0000g0", "x"),
            ("A", "#000000", ""),
            ("A", "#000000", " \n"),
            ("A", "#000000", &"💧".repeat(2_001)),
        ] {
            assert_eq!(checked(name, color, text), refused, "{name:?} {color:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_message() {
        let message = r##"{"type":"message","id":"m","from":{"id":"p","name":"A","color":"#000000"},"text":"x","at":1}"##;
        let check = |event: &str| {
            check(event.as_bytes(), &Grant::default(), 0)
                .map(Cow::into_owned)
                .map_err(|error| error.kind())
        };
        assert_eq!(check(message), Ok(message.into()));
        for (part, other) in [
            ("\"message\"", "\"deleted\""),
            ("\"type\":\"message\",", ""),
            ("\"at\":1", "\"at\":-1"),
            (",\"at\":1", ""),
            ("\"at\":1", "\"at\":1,\"html\":\"<b>\""),
            ("\"id\":\"p\",", "\"id\":\"p\",\"admin\":true,"),
            ("\"id\":\"m\"", "\"id\":\"\""),
            ("\"id\":\"p\",", "\"id\":\"p\",\"verified\":true,"),
        ] {
            assert_eq!(
                check(&message.replace(part, other)),
                Err(ErrorKind::EventRefused),
                "{other}"
            );
        }
        assert!(check("[]").is_err() && check("1").is_err());
    }

    #[test]
    fn an_author_with_a_subject_is_the_subject_and_verified() {
        let message = |from: &str| {
            format!(
                r##"{{"type":"message","id":"m","from":{{"id":"{from}","name":"A","color":"#000000"}},"text":"x","at":1}}"##
            )
        };
        let ann = Grant { subject: Some("ann".into()), ..Grant::default() };
        let expected = message("ann").replace("#000000\"", "#000000\",\"verified\":true");
        for said in [message("ben"), message("ann"), expected.clone()] {
            assert_eq!(
                check(said.as_bytes(), &ann, 0).map(Cow::into_owned).map_err(|error| error.kind()),
                Ok(expected.clone().into_bytes())
            );
        }
    }
}
