//! Every limit, in one table: what is limited, how much it is, and what who passes it is answered.

use crate::{ChannelName, SETTINGS, Setting, fields, frame, policy, presence, tally};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is limited, and of what: an event, a connection, an identity, a channel.
    pub what: &'static str,
    /// How much it is.
    pub bound: Bound,
    /// What happens at the limit.
    pub answer: &'static str,
}

/// How much a limit is, and why.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// The setting of this name says it.
    Setting(&'static str),
    /// It is part of the code.
    Fixed {
        /// The number.
        number: u64,
        /// What it counts.
        unit: &'static str,
        /// Why so much.
        reason: &'static str,
    },
    /// A binding of Workers says it.
    Binding {
        /// Its name.
        name: &'static str,
        /// Why it is there.
        reason: &'static str,
    },
    /// Each function says it in its [`Policy`](crate::Policy).
    Function {
        /// The field.
        field: &'static str,
        /// What it counts.
        unit: &'static str,
        /// Why it is there.
        reason: &'static str,
    },
}

impl Limit {
    /// The number, or where it stands, for people.
    pub fn default(&self) -> String {
        match self.bound {
            Bound::Setting(name) => setting(name).map_or_else(String::new, |setting| setting.default.into()),
            Bound::Fixed { number, .. } => number.to_string(),
            Bound::Function { .. } | Bound::Binding { .. } => "none".into(),
        }
    }

    /// What the number counts.
    pub fn unit(&self) -> &'static str {
        match self.bound {
            Bound::Setting(name) => setting(name).map_or("", |setting| setting.unit),
            Bound::Fixed { unit, .. } | Bound::Function { unit, .. } => unit,
            Bound::Binding { .. } => "requests in a time",
        }
    }

    /// Why so much, or which setting tells it.
    pub fn reason(&self) -> String {
        match self.bound {
            Bound::Setting(name) => format!("`{name}`"),
            Bound::Fixed { reason, .. } => reason.into(),
            Bound::Binding { name, reason } => format!("Binding `{name}`. {reason}"),
            Bound::Function { field, reason, .. } => format!("`Policy::{field}`. {reason}"),
        }
    }
}

fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

const fn fixed(number: u64, unit: &'static str, reason: &'static str) -> Bound {
    Bound::Fixed { number, unit, reason }
}

/// The table, in the order of the documentation.
pub const LIMITS: &[Limit] = &[
    Limit {
        what: "name of a channel",
        bound: fixed(ChannelName::MAX_BYTES as u64, "bytes", "Room for a prefix within the 2,048 bytes that the platform gives an object's name."),
        answer: "400 `channel-name-invalid`",
    },
    Limit { what: "body of a request, frame of a WebSocket", bound: Bound::Setting("MAX_BODY_BYTES"), answer: "413 `body-too-large`; close code 1009" },
    Limit { what: "event", bound: Bound::Setting("MAX_EVENT_BYTES"), answer: "413 `event-too-large`, also as an `error` frame" },
    Limit {
        what: "nesting of a JSON event, and of a member's state",
        bound: Bound::Setting("MAX_JSON_DEPTH"),
        answer: "422 `json-too-deep`, also as an `error` frame",
    },
    Limit { what: "events in one publish", bound: Bound::Setting("MAX_BATCH_EVENTS"), answer: "413 `batch-too-large`" },
    Limit {
        what: "requests of one identity, or of one address that shows no credential; Workers only",
        bound: Bound::Binding { name: "REQUEST_RATE", reason: "Off until `wrangler.toml` binds it: how many is much depends on how many share an address." },
        answer: "429 `rate-exceeded` with `Retry-After: 10`; close code 1013",
    },
    Limit {
        what: "publishes of one identity in a channel: its subject, else its ticket, else its `Producer-Id`",
        bound: Bound::Function { field: "rate", unit: "events in a time", reason: "What one person does; `chat` has 10 in 10 s." },
        answer: "429 `rate-exceeded` with `Retry-After`; an `error` frame with `retryAfterMs`",
    },
    Limit {
        what: "publishes of all without a credential in a channel, together",
        bound: Bound::Function {
            field: "anonymous_rate",
            unit: "events in a time",
            reason: "A `Producer-Id` is changed as fast as a name; `chat` has 200 in 10 s.",
        },
        answer: "429 `rate-exceeded`, as above",
    },
    Limit { what: "readers of a channel at once", bound: Bound::Setting("MAX_READERS"), answer: "503 `too-many-readers` with `Retry-After`; close code 1013" },
    Limit { what: "unread, of an SSE reader", bound: Bound::Setting("STREAM_MAX_QUEUED_BYTES"), answer: "the stream ends; the reader resumes" },
    Limit { what: "unacknowledged, of a WebSocket reader", bound: Bound::Setting("SOCKET_WINDOW_BYTES"), answer: "close code 3008; the reader resumes" },
    Limit { what: "age of an SSE stream", bound: Bound::Setting("STREAM_MAX_MS"), answer: "the stream ends; the reader resumes" },
    Limit {
        what: "events stored for a channel",
        bound: Bound::Setting("RETENTION_MAX_EVENTS"),
        answer: "the oldest go; 410 `offset-gone`, a gap on SSE and WebSocket",
    },
    Limit { what: "bytes stored for a channel", bound: Bound::Setting("RETENTION_MAX_BYTES"), answer: "the same" },
    Limit { what: "age of stored events", bound: Bound::Setting("RETENTION_MAX_AGE_S"), answer: "the same" },
    Limit {
        what: "producers that a channel remembers",
        bound: fixed(tally::MOST, "producers", "A look at so many takes milliseconds. Those that published within the hour stay, above it too."),
        answer: "the longest idle are forgotten; 409 `producer-gap` for a number that went on",
    },
    Limit {
        what: "silence of a producer",
        bound: fixed(tally::IDLE_MS / 86_400_000, "days", "Who was away for longer begins a new epoch."),
        answer: "it is forgotten, as above",
    },
    Limit { what: "members present in a channel", bound: Bound::Setting("PRESENCE_MAX_MEMBERS"), answer: "429 `presence-full` with `Retry-After`" },
    Limit {
        what: "state of a member",
        bound: fixed(presence::MAX_STATE_BYTES as u64, "bytes", "Each change goes to every reader."),
        answer: "400 `presence-invalid`, also as an `error` frame",
    },
    Limit {
        what: "`id` of a member",
        bound: fixed(presence::MAX_ID_BYTES as u64, "bytes", "Every reader is told it."),
        answer: "400 `presence-invalid`, also as an `error` frame",
    },
    Limit {
        what: "`id` of a publish over WebSocket",
        bound: fixed(frame::MAX_ID_BYTES as u64, "bytes", "It comes back in the answer."),
        answer: "an `error` frame, close code 3501",
    },
    Limit { what: "`Producer-Id`", bound: fixed(fields::MAX_ID_BYTES as u64, "bytes", "It is stored with each event."), answer: "400 `header-invalid`" },
    Limit {
        what: "a channel under `demo-`: events",
        bound: fixed(policy::DEMO_EVENTS, "events", "What strangers may cost; see `Policy::demo`. None of these holds with `OPEN_ACCESS`."),
        answer: "the oldest go",
    },
    Limit { what: "the same: bytes", bound: fixed(policy::DEMO_BYTES, "bytes", "Sixteen of the longest events."), answer: "the oldest go" },
    Limit {
        what: "the same: life after the last read or append, and age of events",
        bound: fixed(policy::DEMO_LIFE_S as u64, "seconds", "Nothing stays that nobody uses."),
        answer: "the channel ends; 400 `header-invalid` for who wants longer",
    },
    Limit {
        what: "the same: readers",
        bound: fixed(policy::DEMO_READERS, "readers", "A crowd on a landing page."),
        answer: "503 `too-many-readers`; close code 1013",
    },
    Limit {
        what: "the same: publishes of all visitors together, in 10 s",
        bound: fixed(policy::DEMO_RATE.events, "events", "A page that draws may send twenty a second."),
        answer: "429 `rate-exceeded` with `Retry-After`",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_in_it_exists() {
        for limit in LIMITS {
            assert!(!limit.default().is_empty() && !limit.unit().is_empty() && !limit.reason().is_empty(), "{}", limit.what);
        }
        assert_eq!(policy::DEMO_RATE.per_ms, 10_000);
    }
}
