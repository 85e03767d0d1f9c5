//! Every limit, in one table: its subject, its number, and what happens above it. `SETTINGS.md`
//! beside this crate shows the table to readers.

use crate::awareness::MAX_CLIENT_STATE_BYTES;
use crate::channel::ChannelName;
use crate::http::fields;
use crate::policy;
use crate::presence;
use crate::publish::tally;
use crate::settings::{SETTINGS, Setting};
use crate::wire::frame;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The subject of the limit: an event, a connection, an identity, a channel.
    pub what: &'static str,
    /// The number.
    pub bound: Bound,
    /// What happens at the limit.
    pub answer: &'static str,
}

/// Where the number of a limit comes from, and why.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// The setting of this name holds the number.
    Setting(&'static str),
    /// The code holds the number.
    Fixed {
        /// The number.
        number: u64,
        /// What it counts.
        unit: &'static str,
        /// Why this number.
        reason: &'static str,
    },
    /// A binding of Workers holds the number.
    Binding {
        /// Its name.
        name: &'static str,
        /// Why the limit exists.
        reason: &'static str,
    },
    /// Each function sets the number in its [`Policy`](crate::Policy).
    Function {
        /// The field.
        field: &'static str,
        /// What it counts.
        unit: &'static str,
        /// Why the limit exists.
        reason: &'static str,
    },
}

impl Limit {
    /// The number for readers; `none` if there is no default.
    pub fn default(&self) -> String {
        match self.bound {
            Bound::Setting(name) => {
                setting(name).map_or_else(String::new, |setting| setting.default.into())
            }
            Bound::Fixed { number, .. } => number.to_string(),
            Bound::Function { .. } | Bound::Binding { .. } => "none".into(),
        }
    }

    /// What the number counts.
    pub fn unit(&self) -> &'static str {
        match self.bound {
            Bound::Setting(name) => setting(name).map_or("", |setting| setting.unit),
            Bound::Fixed { unit, .. } | Bound::Function { unit, .. } => unit,
            Bound::Binding { .. } => "requests in a period",
        }
    }

    /// Why this number, or the setting that holds it.
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
        bound: fixed(
            ChannelName::MAX_BYTES as u64,
            "bytes",
            "Leaves room for a prefix within the 2,048 bytes that the platform allows for an object's name.",
        ),
        answer: "400 `channel-name-invalid`",
    },
    Limit {
        what: "body of a request, frame of a WebSocket",
        bound: Bound::Setting("MAX_BODY_BYTES"),
        answer: "413 `body-too-large`; close code 1009",
    },
    Limit {
        what: "event",
        bound: Bound::Setting("MAX_EVENT_BYTES"),
        answer: "413 `event-too-large`, also as an `error` frame",
    },
    Limit {
        what: "nesting of a JSON event, and of a member's state",
        bound: Bound::Setting("MAX_JSON_DEPTH"),
        answer: "422 `json-too-deep`, also as an `error` frame",
    },
    Limit {
        what: "a shared document: bytes of its snapshot and of the updates after it",
        bound: Bound::Function {
            field: "documents",
            unit: "bytes",
            reason: "An object has 128 MB to make the next snapshot in; `collab` allows 8 MiB.",
        },
        answer: "413 `document-full`, close code 4413",
    },
    Limit {
        what: "state of one client in the awareness of a document",
        bound: fixed(
            MAX_CLIENT_STATE_BYTES as u64,
            "bytes",
            "A name, a color and a cursor take a tenth of it.",
        ),
        answer: "413 `event-too-large`",
    },
    Limit {
        what: "events in one publish",
        bound: Bound::Setting("MAX_BATCH_EVENTS"),
        answer: "413 `batch-too-large`",
    },
    Limit {
        what: "Workers only: requests of one identity, or of one address without a credential",
        bound: Bound::Binding {
            name: "REQUEST_RATE",
            reason: "Off until `wrangler.toml` binds it. The right limit depends on how many clients share an address.",
        },
        answer: "429 `rate-exceeded` with `Retry-After: 10`; close code 1013",
    },
    Limit {
        what: "publishes of one identity in a channel: its subject, else its ticket, else its `Producer-Id`",
        bound: Bound::Function {
            field: "rate",
            unit: "events in a period",
            reason: "Enough for one person; `chat` allows 10 in 10 s.",
        },
        answer: "429 `rate-exceeded` with `Retry-After`; an `error` frame with `retryAfterMs`",
    },
    Limit {
        what: "publishes of all clients without a credential in a channel, together",
        bound: Bound::Function {
            field: "anonymous_rate",
            unit: "events in a period",
            reason: "A client can change its `Producer-Id` at will; `chat` allows 200 in 10 s.",
        },
        answer: "429 `rate-exceeded`, as above",
    },
    Limit {
        what: "Workers only: readers of a channel at once",
        bound: Bound::Setting("MAX_READERS"),
        answer: "503 `too-many-readers` with `Retry-After`; close code 1013",
    },
    Limit {
        what: "Workers only: unread data of an SSE reader",
        bound: Bound::Setting("STREAM_MAX_QUEUED_BYTES"),
        answer: "the stream ends; the reader resumes",
    },
    Limit {
        what: "Workers only: unacknowledged data of a WebSocket reader",
        bound: Bound::Setting("SOCKET_WINDOW_BYTES"),
        answer: "close code 3008; the reader resumes",
    },
    Limit {
        what: "age of an SSE stream",
        bound: Bound::Setting("STREAM_MAX_MS"),
        answer: "the stream ends; the reader resumes",
    },
    Limit {
        what: "events stored for a channel",
        bound: Bound::Setting("RETENTION_MAX_EVENTS"),
        answer: "the oldest are dropped; a reader that has not read them gets 410 `offset-gone`, or a gap on SSE and WebSocket",
    },
    Limit {
        what: "bytes stored for a channel",
        bound: Bound::Setting("RETENTION_MAX_BYTES"),
        answer: "as above",
    },
    Limit {
        what: "age of stored events",
        bound: Bound::Setting("RETENTION_MAX_AGE_S"),
        answer: "as above",
    },
    Limit {
        what: "snapshot of a channel",
        bound: fixed(
            policy::SNAPSHOT_BYTES,
            "bytes",
            "A compaction holds the last snapshot, the events after it and the new one in memory.",
        ),
        answer: "the channel is not compacted, which is logged: all of its events stay",
    },
    Limit {
        what: "snapshots kept of a channel, as its versions",
        bound: fixed(
            policy::SNAPSHOTS,
            "snapshots",
            "With the default of `SNAPSHOT_EVENTS` the last 16,000 events of a history.",
        ),
        answer: "the oldest is dropped",
    },
    Limit {
        what: "producers that a channel remembers",
        bound: fixed(
            tally::MOST,
            "producers",
            "Reading this many takes milliseconds. Producers that published within the last hour stay, even above the limit.",
        ),
        answer: "the producers that were idle longest are forgotten; 409 `producer-gap` when one of them continues its numbers",
    },
    Limit {
        what: "silence of a producer",
        bound: fixed(
            tally::IDLE_MS / 86_400_000,
            "days",
            "A producer that was away longer begins a new epoch.",
        ),
        answer: "the producer is forgotten, as above",
    },
    Limit {
        what: "members present in a channel",
        bound: Bound::Setting("PRESENCE_MAX_MEMBERS"),
        answer: "429 `presence-full` with `Retry-After`",
    },
    Limit {
        what: "state of a member",
        bound: fixed(
            presence::MAX_STATE_BYTES as u64,
            "bytes",
            "Each change goes to every reader.",
        ),
        answer: "400 `presence-invalid`, also as an `error` frame",
    },
    Limit {
        what: "`id` of a member",
        bound: fixed(presence::MAX_ID_BYTES as u64, "bytes", "Every reader receives it."),
        answer: "400 `presence-invalid`, also as an `error` frame",
    },
    Limit {
        what: "`sub` of a credential, as the `id` of a member",
        bound: fixed(
            presence::MAX_SUBJECT_BYTES as u64,
            "bytes",
            "A provider's subject is no longer (OpenID Connect Core 1.0, section 2).",
        ),
        answer: "400 `presence-invalid`, also as an `error` frame",
    },
    Limit {
        what: "`id` of a publish over WebSocket",
        bound: fixed(frame::MAX_ID_BYTES as u64, "bytes", "The answer repeats it."),
        answer: "an `error` frame, close code 3501",
    },
    Limit {
        what: "`Producer-Id`",
        bound: fixed(fields::MAX_ID_BYTES as u64, "bytes", "It is stored with each event."),
        answer: "400 `header-invalid`",
    },
    Limit {
        what: "a channel under `demo-`: events",
        bound: fixed(
            policy::DEMO_EVENTS,
            "events",
            "Bounds what strangers can cost you; see `Policy::demo`. With `OPEN_ACCESS` no limit of `demo-` applies.",
        ),
        answer: "the oldest are dropped",
    },
    Limit {
        what: "a channel under `demo-`: bytes",
        bound: fixed(
            policy::DEMO_BYTES,
            "bytes",
            "Room for sixteen events of the greatest length.",
        ),
        answer: "the oldest are dropped",
    },
    Limit {
        what: "a channel under `demo-`: snapshots",
        bound: fixed(policy::DEMO_SNAPSHOTS, "snapshots", "Each as long as all of its events."),
        answer: "the oldest is dropped",
    },
    Limit {
        what: "a channel under `demo-`: life after the last read or append, and age of events",
        bound: fixed(policy::DEMO_LIFE_S as u64, "seconds", "Unused channels are removed."),
        answer: "the channel ends, old events are dropped; 400 `header-invalid` for a longer life",
    },
    Limit {
        what: "Workers only: readers of a channel under `demo-`",
        bound: fixed(policy::DEMO_READERS, "readers", "Enough for a crowd on a landing page."),
        answer: "503 `too-many-readers`; close code 1013",
    },
    Limit {
        what: "a channel under `demo-`: publishes of all visitors together, in 10 s",
        bound: fixed(
            policy::DEMO_RATE.events,
            "events",
            "Enough for a page that sends twenty events a second, such as one for drawing.",
        ),
        answer: "429 `rate-exceeded` with `Retry-After`",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_in_it_exists() {
        for limit in LIMITS {
            assert!(
                !limit.default().is_empty()
                    && !limit.unit().is_empty()
                    && !limit.reason().is_empty(),
                "{}",
                limit.what
            );
        }
        assert_eq!(policy::DEMO_RATE.per_ms, 10_000);
    }
}
