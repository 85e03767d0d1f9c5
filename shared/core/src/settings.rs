//! Every setting and limit, in one table.
//!
//! Workers read them from `[vars]` under these names, Spin from variables of the same name in lower
//! case.

use crate::access::{Origins, Secret};
use crate::error::{Error, ErrorKind, Result};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name of the variable.
    pub name: &'static str,
    /// The unit of the number; `flag` for `true` and `false`, `path` for a path, and the kind of
    /// any other text.
    pub unit: &'static str,
    /// Value if the variable is not set; empty if there is no default value.
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
                Ok(Settings { $($field: value(&mut lookup, $name, $unit, $default)?,)* })
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
    "OPEN_ACCESS" open_access: bool = false, "flag", "Opens every channel to everyone. Use it to try things out, and in tests. Without it only channels under `demo-` are open.";
    "BASE_PATH" base_path: String = "/", "path", "Path prefix at which a function is served. The gateway serves every function below this prefix, each below its own name. On Spin the route in `spin.toml` is the prefix unless this is set.";
    "MAX_BODY_BYTES" max_body_bytes: u64 = 1048576, "bytes", "Longest request body and longest WebSocket frame; a longer one gets 413 or close code 1009. Room for a batch of events; small enough that an isolate of 128 MB can hold many bodies.";
    "MAX_EVENT_BYTES" max_event_bytes: u64 = 65536, "bytes", "Longest event; a longer event is refused with 413, never truncated. A page of history fits one frame. A stored row of the platform holds at most 2 MB.";
    "MAX_BATCH_EVENTS" max_batch_events: u64 = 1000, "events", "Most events in one publish; a larger batch gets 413. The channel stores the whole batch in one turn.";
    "RETENTION_MAX_EVENTS" retention_max_events: u64 = 10000, "events", "Most events kept for a channel; above it the oldest are dropped. About three hours at one event a second.";
    "RETENTION_MAX_BYTES" retention_max_bytes: u64 = 16777216, "bytes", "Most bytes of events kept for a channel; above it the oldest events are dropped. It also bounds what a reader that catches up over a WebSocket can have in flight.";
    "RETENTION_MAX_AGE_S" retention_max_age_s: u64 = 604800, "seconds", "Age at which events are dropped, at the next read or publish. One week: a client that was away longer should load a snapshot.";
    "SNAPSHOT_EVENTS" snapshot_events: u64 = 500, "events", "Functions with snapshots only: events since the last snapshot after which a channel is compacted. A reader of the whole channel reads at most about twice as many rows, and a compaction writes one row in 500.";
    "SNAPSHOT_BYTES" snapshot_bytes: u64 = 262144, "bytes", "Functions with snapshots only: bytes of events since the last snapshot after which a channel is compacted, or a quarter of that snapshot if it is more. A large document is not rewritten for every few edits.";
    "PAGE_MAX_EVENTS" page_max_events: u64 = 1000, "events", "Most events in one answer or catch-up frame; readers ask again for the rest.";
    "PAGE_MAX_BYTES" page_max_bytes: u64 = 1048576, "bytes", "Bytes after which a page ends; one event always fits.";
    "LONG_POLL_MS" long_poll_ms: u64 = 25000, "milliseconds", "How long a long poll waits before it answers 204. Below 30 s: some proxies cut longer requests, and a Worker stops 30 s after its client has left.";
    "STORE_POLL_MS" store_poll_ms: u64 = 100, "milliseconds", "Spin only: how often an instance asks the store which channels with readers there have changed. A delivery waits half of this on average.";
    "HEARTBEAT_MS" heartbeat_ms: u64 = 15000, "milliseconds", "Silence after which an SSE stream sends a comment. The comment keeps proxies from cutting the stream and reveals clients that have left.";
    "RETRY_MS" retry_ms: u64 = 2000, "milliseconds", "Reconnection time sent to an `EventSource`, spread by half in either direction, so that a deployment does not bring all readers back at once.";
    "STREAM_MAX_MS" stream_max_ms: u64 = 600000, "milliseconds", "Age at which an SSE stream ends; the client resumes. A long-lived request keeps old code running.";
    "STREAM_MAX_FRAMES" stream_max_frames: u64 = 500, "frames", "Frames after which an SSE stream ends; the client resumes. One invocation has 10 ms of CPU on the Free plan; raise the number on Paid.";
    "PRESENCE_LEASE_MS" presence_lease_ms: u64 = 45000, "milliseconds", "How long a member stays present without renewing its lease. Three of the pings that clients send every 15 s.";
    "PRESENCE_MAX_MEMBERS" presence_max_members: u64 = 100, "members", "Most members present in a channel; a further member gets 429. Each change goes to every reader, and a new reader gets all members in one frame.";
    "STREAM_MAX_QUEUED_BYTES" stream_max_queued_bytes: u64 = 2097152, "UTF-16 units", "Workers only: how much the server holds for an SSE reader that is slower than the channel; above it the stream ends and the client resumes.";
    "SOCKET_ACK_BYTES" socket_ack_bytes: u64 = 262144, "UTF-16 units", "Workers only: after this many characters a WebSocket reader acknowledges what it has; at most a quarter of its window. Small enough that four fit the window, large enough that few messages are acknowledgements.";
    "SOCKET_WINDOW_BYTES" socket_window_bytes: u64 = 1048576, "UTF-16 units", "Workers only: how much a WebSocket reader may leave unacknowledged; above it the connection is closed with 3008 and the client resumes. The platform holds as much for each reader that stalls.";
    "UPLOAD_MAX_BYTES" upload_max_bytes: u64 = 100000000, "bytes", "The function `progress` only: longest upload; a longer one gets 413. The server never holds a whole upload. Cloudflare itself accepts 100 MB on Free and Pro, 200 MB on Business.";
    "MAX_JSON_DEPTH" max_json_depth: u64 = 64, "levels", "Deepest nesting of a JSON event and of a member's state; deeper JSON gets 422. Real data stays far below it; recursive parsers stop or crash at about 100 levels.";
    "MAX_READERS" max_readers: u64 = 32000, "readers", "Workers only: most readers of a channel at once; a further reader gets 503 or close code 1013. The platform accepts 32,768 in one object. Set a lower number where an event takes too long to reach all of them.";
    "TICKET_KEYS" ticket_keys: Secret = "", "keys", "Keys of tickets, as `kid:base64url`, separated by commas: the first key signs, every key verifies. `tidewire keys` makes one. This is a secret: on Workers set it by `wrangler secret put`. Unset: no ticket is valid.";
    "VAPID_KEYS" vapid_keys: Secret = "", "keys", "Functions with Web Push only: the keys by which push services know this server, as `kid:base64url`, separated by commas: new subscriptions get the first, every subscription keeps its own. `tidewire keys --vapid` makes one. This is a secret: on Workers set it by `wrangler secret put`. Unset: no Web Push.";
    "VAPID_SUBJECT" vapid_subject: String = "", "address", "How a push service reaches you: `mailto:admin@example.com`, or a URL with `https:`. Required with `VAPID_KEYS`; Apple refuses an address that the public cannot reach.";
    "PUSH_SERVICES" push_services: String = "", "hosts", "Hosts of the push services that may be sent to, separated by commas, where `*.` stands for any host below. Unset: those of the known browsers. A subscription with another host is refused, or any user could have requests sent into your network. On Spin `allowed_outbound_hosts` must list them, too.";
    "PUSH_DELAY_MS" push_delay_ms: u64 = 5000, "milliseconds", "How long a notification waits for an open page before it is pushed. A page that shows it says so within a second; a slow network takes some more.";
    "PUSH_MAX_SUBSCRIPTIONS" push_max_subscriptions: u64 = 20, "subscriptions", "Most subscriptions of Web Push in a channel, one for each browser of a user; a further one replaces one that fails, or gets 409.";
    "JWKS_URL" jwks_url: String = "", "URL", "JWKS endpoint of the provider whose tokens are accepted, signed with RS256, ES256 or EdDSA. Unset: no token is accepted. On Spin `jwks_origin` grants access to its host.";
    "JWT_ISSUER" jwt_issuer: String = "", "text", "`iss` that a token must have, exactly. Required with `JWKS_URL`.";
    "JWT_AUDIENCE" jwt_audience: String = "", "text", "`aud` that a token must have. Unset: only tokens without `aud` are accepted.";
    "ALLOWED_ORIGINS" allowed_origins: Origins = "", "origins", "Origins, as `https://app.example.com`, separated by commas, whose pages may use the cookie and open WebSockets. Unset: pages of the function's own origin may use a credential there, pages of any origin may connect without one.";
    "LOCATION_HINT" location_hint: String = "", "region", "Workers only: region where new channels are placed, as `weur`. Unset: near the first caller. A channel never moves: decide before the first launch.";
    "JURISDICTION" jurisdiction: String = "", "jurisdiction", "Workers only: `eu`, `us` or `fedramp`; channels are stored and run only there. A change makes existing channels unreachable: decide before the first launch.";
}

impl Settings {
    /// After how many characters a reader acknowledges: at most a quarter of its window. With
    /// longer strides one that keeps up would be closed for an acknowledgement that it does not owe
    /// yet.
    pub fn ack_bytes(&self) -> u64 {
        self.socket_ack_bytes.min(self.socket_window_bytes / 4)
    }
}

const REGIONS: [&str; 9] = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"];
const JURISDICTIONS: [&str; 3] = ["eu", "us", "fedramp"];

/// A value that a setting can have.
trait Value: Sized {
    type Literal;
    fn literal(literal: Self::Literal) -> Self;
    fn parse(text: &str, unit: &str) -> Option<Self>;
    /// What the text must be, for the error.
    fn wanted(unit: &str) -> String;
}

impl Value for bool {
    type Literal = bool;

    fn literal(literal: bool) -> bool {
        literal
    }

    fn parse(text: &str, _: &str) -> Option<bool> {
        text.parse().ok()
    }

    fn wanted(_: &str) -> String {
        "`true` or `false`".into()
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

    fn wanted(unit: &str) -> String {
        format!("a whole number of {unit}, at least 1")
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
            // Spin has no variables without a value: there the empty text is "not set".
            "region" => text.is_empty() || REGIONS.contains(&text),
            "jurisdiction" => text.is_empty() || JURISDICTIONS.contains(&text),
            _ => true,
        };
        is_right.then(|| text.into())
    }

    fn wanted(unit: &str) -> String {
        match unit {
            "path" => "a path that begins and ends with `/`".into(),
            "region" => format!("one of {}", REGIONS.join(", ")),
            "jurisdiction" => format!("one of {}", JURISDICTIONS.join(", ")),
            _ => unit.into(),
        }
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

    fn wanted(unit: &str) -> String {
        unit.into()
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

    fn wanted(_: &str) -> String {
        "origins as `https://app.example.com`, separated by commas".into()
    }
}

// Compiled once for each type, not once for each setting.
#[inline(never)]
fn value<T: Value>(
    lookup: &mut dyn FnMut(&str) -> Option<String>,
    name: &str,
    unit: &str,
    default: T::Literal,
) -> Result<T> {
    match lookup(name) {
        Some(text) => parse(name, unit, &text),
        None => Ok(T::literal(default)),
    }
}

fn parse<T: Value>(name: &str, unit: &str, text: &str) -> Result<T> {
    T::parse(text, unit).ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            format!("setting {name} must be {}, got {text:?}", T::wanted(unit)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_acknowledges_at_least_four_times_a_window() {
        let settings = |ack, window| Settings {
            socket_ack_bytes: ack,
            socket_window_bytes: window,
            ..Settings::default()
        };
        assert_eq!(
            [settings(100, 1_000).ack_bytes(), settings(900, 1_000).ack_bytes()],
            [100, 250]
        );
    }

    #[test]
    fn reads_its_own_defaults() {
        let read = Settings::read(|name| {
            SETTINGS
                .iter()
                .find(|setting| setting.name == name)
                .map(|setting| setting.default.into())
        })
        .unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn names_the_setting_that_is_wrong_and_says_what_it_must_be() {
        let error =
            Settings::read(|name| (name == "LONG_POLL_MS").then(|| "soon".into())).unwrap_err();
        assert_eq!(
            error.detail(),
            "setting LONG_POLL_MS must be a whole number of milliseconds, at least 1, got \"soon\""
        );
        for (setting, text, wanted) in [
            ("OPEN_ACCESS", "yes", "`true` or `false`"),
            ("BASE_PATH", "live", "a path that begins and ends with `/`"),
            ("JURISDICTION", "mars", "one of eu, us, fedramp"),
            (
                "ALLOWED_ORIGINS",
                "example.com/",
                "origins as `https://app.example.com`, separated by commas",
            ),
        ] {
            let error = Settings::read(|name| (name == setting).then(|| text.into())).unwrap_err();
            assert_eq!(error.detail(), format!("setting {setting} must be {wanted}, got {text:?}"));
        }
        assert!(Settings::read(|name| (name == "PAGE_MAX_EVENTS").then(|| "0".into())).is_err());
    }

    #[test]
    fn shows_no_secret() {
        let settings =
            Settings::read(|name| (name == "TICKET_KEYS").then(|| "k1:hush".into())).unwrap();
        assert_eq!(settings.ticket_keys.expose(), "k1:hush");
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
