//! Every setting and limit, in one table.
//!
//! Workers read them from `[vars]` under these names, Spin from variables of the same name in lower case.

use crate::{Error, ErrorKind, Origins, Result, Secret};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name of the variable.
    pub name: &'static str,
    /// What the number counts; `flag` for `true` and `false`, `path` for a path, and what else a text is. Empty is none, where the default is.
    pub unit: &'static str,
    /// Value when the variable is not set.
    pub default: &'static str,
    /// Why this default, and what happens at the limit.
    pub reason: &'static str,
}

macro_rules! settings {
    ($($name:literal $field:ident: $kind:ty = $default:literal, $unit:literal, $reason:literal;)*) => {
        /// The table, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$(Setting { name: $name, unit: $unit, default: concat!($default), reason: $reason },)*];

        /// The values in force.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $(#[doc = $reason] #[doc = concat!("\n\nUnit: ", $unit, ". Default: \"", $default, "\". Variable: `", $name, "`.")] pub $field: $kind,)*
        }

        impl Settings {
            /// Reads each setting by its name; `None` means its default.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Internal`], naming the setting whose value does not parse.
            pub fn read(mut lookup: impl FnMut(&str) -> Option<String>) -> Result<Settings> {
                Ok(Settings { $($field: match lookup($name) {
                    Some(text) => parse($name, $unit, &text)?,
                    None => Value::literal($default),
                },)* })
            }
        }

        impl Default for Settings {
            fn default() -> Settings {
                Settings { $($field: Value::literal($default),)* }
            }
        }
    };
}

settings! {
    "OPEN_ACCESS" open_access: bool = false, "flag", "Opens every channel to everyone. Meant for trying out and for tests; without it only channels under `demo-` are open.";
    "BASE_PATH" base_path: String = "/", "path", "Path prefix at which a function is served. The gateway serves all of them below it, each below its own name.";
    "MAX_BODY_BYTES" max_body_bytes: u64 = 1048576, "bytes", "Longest request body and WebSocket frame, 413 or close code 1009 above. A batch of events; well below what one isolate of 128 MB can hold many of.";
    "MAX_EVENT_BYTES" max_event_bytes: u64 = 65536, "bytes", "Longest event, 413 above, never truncated. A page of history fits one frame. A stored row of the platform takes 2 MB.";
    "MAX_BATCH_EVENTS" max_batch_events: u64 = 1000, "events", "Most events in one publish, 413 above. One turn of the channel stores them all.";
    "RETENTION_MAX_EVENTS" retention_max_events: u64 = 10000, "events", "Events kept for a channel; the oldest are dropped above it. About three hours of one a second.";
    "RETENTION_MAX_BYTES" retention_max_bytes: u64 = 16777216, "bytes", "Bytes of events kept for a channel; the oldest are dropped above it. Bounds what a reader that catches up over a WebSocket can have in flight.";
    "RETENTION_MAX_AGE_S" retention_max_age_s: u64 = 604800, "seconds", "Age at which events are dropped, at the next read or publish. A week: who was away longer wants a snapshot.";
    "PAGE_MAX_EVENTS" page_max_events: u64 = 1000, "events", "Most events in one answer or catch-up frame; readers ask again for the rest.";
    "PAGE_MAX_BYTES" page_max_bytes: u64 = 1048576, "bytes", "Bytes after which a page ends; one event always fits.";
    "LONG_POLL_MS" long_poll_ms: u64 = 25000, "milliseconds", "How long a long poll waits before 204. Below the 30 s that proxies allow, and that a Worker has left once its client is gone.";
    "STORE_POLL_MS" store_poll_ms: u64 = 100, "milliseconds", "Spin only: how often an instance looks at the store for each channel that it has readers of. A delivery takes half of it on average.";
    "HEARTBEAT_MS" heartbeat_ms: u64 = 15000, "milliseconds", "Silence after which an SSE stream gets a comment. It keeps proxies from cutting the stream and shows clients that left.";
    "RETRY_MS" retry_ms: u64 = 2000, "milliseconds", "Reconnection time given to an EventSource, spread by half to either side, so that a deploy does not bring all back at once.";
    "STREAM_MAX_MS" stream_max_ms: u64 = 600000, "milliseconds", "Age at which an SSE stream ends; the client resumes. Long-lived requests pin old code.";
    "STREAM_MAX_FRAMES" stream_max_frames: u64 = 500, "frames", "Frames after which an SSE stream ends; the client resumes. One invocation has 10 ms of CPU on the Free plan; raise it on Paid.";
    "PRESENCE_LEASE_MS" presence_lease_ms: u64 = 45000, "milliseconds", "How long a member stays present without a sign of life. Three of the pings that clients send every 15 s.";
    "PRESENCE_MAX_MEMBERS" presence_max_members: u64 = 100, "members", "Most members present in a channel, 429 above. Each change goes to every reader, and a new reader gets them all in one frame.";
    "STREAM_MAX_QUEUED_BYTES" stream_max_queued_bytes: u64 = 2097152, "UTF-16 units", "What the server holds for an SSE reader that is slower than the channel; the stream ends above it and the client resumes.";
    "SOCKET_ACK_BYTES" socket_ack_bytes: u64 = 262144, "UTF-16 units", "Workers only: after how many characters a WebSocket reader acknowledges what it has, at most a quarter of its window. Small enough that four fit the window, large enough that hardly a message is spent on it.";
    "SOCKET_WINDOW_BYTES" socket_window_bytes: u64 = 1048576, "UTF-16 units", "Workers only: what may be under way to a WebSocket reader unacknowledged; above it the connection is closed with 3008 and the client resumes. The platform holds as much for each reader that stalls.";
    "UPLOAD_MAX_BYTES" upload_max_bytes: u64 = 100000000, "bytes", "The function `progress` only: longest upload, 413 above. It is never held whole. Cloudflare itself takes 100 MB on Free and Pro, 200 MB on Business.";
    "MAX_JSON_DEPTH" max_json_depth: u64 = 64, "levels", "Deepest nesting of a JSON event and of a member's state, 422 above. Far more than data has; parsers that go down with each bracket stop at a hundred or fall over.";
    "MAX_READERS" max_readers: u64 = 32000, "readers", "Workers only: most readers of a channel at once, 503 or close code 1013 above. The platform takes 32,768 in one object; fewer where each event goes to each of them too slowly.";
    "TICKET_KEYS" ticket_keys: Secret = "", "keys", "Keys of tickets, `kid:base64url` with commas between: the first signs, all verify. `tidewire keys` makes one. A secret: on Workers `wrangler secret put`. Without it no ticket is valid.";
    "JWKS_URL" jwks_url: String = "", "URL", "Keys of the provider whose tokens are taken, as RS256, ES256 or EdDSA. Without it none is. On Spin `jwks_origin` grants the host.";
    "JWT_ISSUER" jwt_issuer: String = "", "text", "`iss` that a token must have, exactly. Needed with `JWKS_URL`.";
    "JWT_AUDIENCE" jwt_audience: String = "", "text", "`aud` that a token must have. Without it only tokens that name none are taken.";
    "ALLOWED_ORIGINS" allowed_origins: Origins = "", "origins", "Origins, as `https://app.example.com` with commas between, whose pages may use the cookie and open WebSockets. Without it the function's own origin may use a credential there, and all may without.";
    "LOCATION_HINT" location_hint: String = "", "region", "Workers only: where channels are to live that nobody has called yet, as `weur`; without it near whoever calls first. They never move: decide before the first launch.";
    "JURISDICTION" jurisdiction: String = "", "jurisdiction", "Workers only: `eu`, `us` or `fedramp`: channels are stored and run there alone. They are other channels than those without, which are not found any more: decide before the first launch.";
}

/// A value that a setting can have.
trait Value: Sized {
    type Literal;
    fn literal(literal: Self::Literal) -> Self;
    fn parse(text: &str, unit: &str) -> Option<Self>;
}

impl Value for bool {
    type Literal = bool;

    fn literal(literal: bool) -> bool {
        literal
    }

    fn parse(text: &str, _: &str) -> Option<bool> {
        text.parse().ok()
    }
}

impl Value for u64 {
    type Literal = u64;

    fn literal(literal: u64) -> u64 {
        literal
    }

    fn parse(text: &str, _: &str) -> Option<u64> {
        // No setting makes sense at 0; a forgotten value must not read as "none".
        text.parse().ok().filter(|&n| n > 0)
    }
}

impl Value for String {
    type Literal = &'static str;

    fn literal(literal: &'static str) -> String {
        literal.into()
    }

    fn parse(text: &str, unit: &str) -> Option<String> {
        let is_right = match unit {
            "path" => text.starts_with('/') && text.ends_with('/'),
            // Spin has no variables without a value.
            "region" => ["", "wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"].contains(&text),
            "jurisdiction" => ["", "eu", "us", "fedramp"].contains(&text),
            _ => true,
        };
        is_right.then(|| text.into())
    }
}

impl Value for Secret {
    type Literal = &'static str;

    fn literal(literal: &'static str) -> Secret {
        Secret::new(literal)
    }

    // Never `None`, or the error would show it.
    fn parse(text: &str, _: &str) -> Option<Secret> {
        Some(Secret::new(text))
    }
}

impl Value for Origins {
    type Literal = &'static str;

    fn literal(_: &'static str) -> Origins {
        Origins::default()
    }

    fn parse(text: &str, _: &str) -> Option<Origins> {
        Origins::parse(text)
    }
}

fn parse<T: Value>(name: &str, unit: &str, text: &str) -> Result<T> {
    T::parse(text, unit).ok_or_else(|| Error::new(ErrorKind::Internal, format!("setting {name} is {text:?}, which is no {unit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_defaults() {
        let read = Settings::read(|name| SETTINGS.iter().find(|setting| setting.name == name).map(|setting| setting.default.into())).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn names_the_setting_that_is_wrong() {
        let error = Settings::read(|name| (name == "LONG_POLL_MS").then(|| "soon".into())).unwrap_err();
        assert!(error.detail().contains("LONG_POLL_MS"));
        assert!(Settings::read(|name| (name == "PAGE_MAX_EVENTS").then(|| "0".into())).is_err());
    }

    #[test]
    fn shows_no_secret() {
        let settings = Settings::read(|name| (name == "TICKET_KEYS").then(|| "k1:hush".into())).unwrap();
        assert_eq!(settings.ticket_keys.expose(), "k1:hush");
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
