//! The lines of the log, one JSON object each: they hold our own words, offsets and numbers. They
//! hold nothing that a client sent, and thus no credential, cookie or query; a channel's name
//! appears as a hash.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::channel::{ChannelName, Offset};
use crate::close_code::CloseCode;
use crate::error::Error;
use crate::function::Function;
use crate::http::RequestHead;
use crate::request::Transport;
use crate::settings::Settings;

/// The facts about a request that are known from its start, for the line about its end or that of
/// its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    request: String,
    function: String,
    transport: String,
    channel: Option<String>,
    begun_ms: u64,
}

impl Trace {
    /// A request; `id` is new for each.
    pub fn new<F: Function>(
        head: &RequestHead<'_>,
        settings: &Settings,
        id: u64,
        now_ms: u64,
    ) -> Trace {
        let rest = head.path.strip_prefix(settings.base_path.as_str()).unwrap_or_default();
        // An address beside a channel ends with the channel's name: `-/presence/room`.
        let name = rest
            .strip_prefix("-/")
            .map_or(Some(rest), |beside| beside.split_once('/').map(|(_, name)| name));
        let channel = name.and_then(|name| ChannelName::from_path(name, F::CHANNEL_NAMES).ok());
        let transport = match head.method {
            "GET" => Transport::of(head).map_or("unknown", Transport::name),
            _ => "http",
        };
        let channel = channel.map(|channel| hash(F::NAME, channel.as_str()));
        Trace {
            request: format!("{id:016x}"),
            function: F::NAME.into(),
            transport: transport.into(),
            channel,
            begun_ms: now_ms,
        }
    }

    /// The line of a refused request.
    pub fn refused(&self, error: &Error, now_ms: u64) -> String {
        let Trace { request, function, transport, channel, .. } = self;
        let (code, reason) = (error.status_code().as_u16(), error.kind().code());
        json!({
            "event": "refused", "request": request, "function": function, "transport": transport, "channel": channel,
            "code": code, "reason": reason, "ms": self.age_ms(now_ms),
        })
        .to_string()
    }

    /// The line of an ended stream or socket, covering the events between `from` and `to`; `code`
    /// as a WebSocket closes, whatever the transport.
    pub fn ended(&self, from: Offset, to: Offset, code: u16, now_ms: u64) -> String {
        let Trace { request, function, transport, channel, .. } = self;
        let (from, to) = (from.to_string(), to.to_string());
        // A client may have chosen the code, so the log uses only our words for it.
        let reason = CloseCode::of(code).map_or("other", CloseCode::meaning);
        json!({
            "event": "end", "request": request, "function": function, "transport": transport, "channel": channel,
            "from": from, "to": to, "code": code, "reason": reason, "ms": self.age_ms(now_ms),
        })
        .to_string()
    }

    fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.begun_ms)
    }
}

/// The line of a fault of the platform or the store, with the [`hash`] of the channel if there is
/// one.
pub fn fault(channel: Option<&str>, cause: &dyn Display) -> String {
    json!({"event": "fault", "channel": channel, "cause": cause.to_string()}).to_string()
}

/// The name of a channel in the log: the beginning of the SHA-256 of `function/channel`. `printf
/// feed/room | sha256sum` finds it, and the log does not reveal the name.
pub fn hash(function: &str, channel: &str) -> String {
    let digest = Sha256::digest(format!("{function}/{channel}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Identity, Rights};
    use crate::error::ErrorKind;
    use crate::policy::{Creation, Policy};

    struct Feed;

    impl Function for Feed {
        const NAME: &'static str = "feed";

        fn policy(settings: &Settings) -> Policy {
            Policy::new(Creation::OnPut, settings)
        }

        fn authorize(_: &Identity, _: &ChannelName, _: &Settings) -> Rights {
            Rights::NONE
        }
    }

    fn trace(method: &str, path: &str, query: &str) -> Trace {
        let settings = Settings { base_path: "/feed/".into(), ..Settings::default() };
        let head = RequestHead {
            method,
            url: "",
            path,
            query,
            headers: &|name| (name == "authorization").then(|| "Bearer s3cret".into()),
        };
        Trace::new::<Feed>(&head, &settings, 10, 1_000)
    }

    #[test]
    fn a_refusal_is_one_line_without_what_the_client_sent() {
        let error = Error::new(ErrorKind::AccessDenied, "detail s3cret");
        let line = trace("GET", "/feed/room", "ticket=s3cret&live=sse").refused(&error, 1_250);
        let expected = r#"{"channel":"CH","code":403,"event":"refused","function":"feed","ms":250,"reason":"access-denied","request":"000000000000000a","transport":"durable-sse"}"#;
        assert_eq!(line, expected.replace("CH", &hash("feed", "room")));
    }

    #[test]
    fn an_end_tells_what_the_reader_had() {
        let line = trace("GET", "/feed/room", "").ended(
            Offset::BEGINNING,
            Offset { epoch: 1, seq: 2 },
            3005,
            2_000,
        );
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&parsed["from"], &parsed["to"]),
            (&"-1".into(), &"000000000001_00000000000002".into())
        );
        assert_eq!(
            (&parsed["code"], &parsed["reason"], &parsed["ms"]),
            (&3005.into(), &"credential-expired".into(), &1_000.into())
        );
    }

    #[test]
    fn names_the_channel_wherever_it_stands_and_nothing_that_is_none() {
        let channel = |path: &str| trace("POST", path, "").channel;
        assert_eq!(
            [channel("/feed/-/revoke/room"), channel("/feed/%72oom")],
            [channel("/feed/room"), channel("/feed/room")]
        );
        assert_eq!(
            [
                channel("/feed/"),
                channel("/feed/-/a.js"),
                channel("/other/room"),
                channel("/feed/a%00b")
            ],
            [None, None, None, None]
        );
        assert_eq!(channel("/feed/room").unwrap(), "874282a76dbd5af2");
    }

    #[test]
    fn a_fault_is_one_line_whatever_its_cause() {
        assert_eq!(
            fault(None, &"a \"b\"\nc"),
            r#"{"cause":"a \"b\"\nc","channel":null,"event":"fault"}"#
        );
    }
}
