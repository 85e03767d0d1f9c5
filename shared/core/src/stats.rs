//! Figures of a channel for its operator: its readers, its size, and counters since it woke.
//!
//! As JSON, or in Prometheus' text format 0.0.4. Counters live in memory and start at 0 with each
//! wake, like those of a process that restarts.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use http::header;
use serde_json::{Map, Value};

use crate::channel::{Channel, Offset};
use crate::error::{Error, ErrorKind};
use crate::http::headers::set;
use crate::http::{Reply, json};
use crate::request::Change;
use crate::wire::Framing;

/// The owner of readers and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole channel.
    Channel,
    /// The instance that answers, with this random name: the channel may have readers at other
    /// instances.
    Instance(u32),
}

/// The counters that an adapter keeps of a channel while it is awake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Connected readers.
    pub readers: HashMap<Framing, u64>,
    /// Readers disconnected for being slow.
    pub drops: u64,
    /// Readers notified that events are gone.
    pub gaps: u64,
    /// Publishes that the channel refused. Publishes refused earlier, such as those without a
    /// right, do not reach it.
    pub refusals: u64,
    /// Results of Web Push, each with its number.
    pub pushes: BTreeMap<&'static str, u64>,
    /// The store, where several channels share it.
    pub store: Option<StoreHealth>,
}

/// A store that channels share, as the instance that answers knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// The engine: `sqlite` or `redis`.
    pub engine: &'static str,
    /// How long the last look at a channel took, without the opening of a connection.
    pub look: Duration,
    /// Connections that failed and were replaced, since the instance started.
    pub reconnects: u64,
}

impl Activity {
    /// Counts a request that was refused, with its change, if any: an append as a refusal, a reader
    /// whose offset is gone as a gap.
    pub fn count_refused(&mut self, change: Option<&Change>, error: &Error) {
        self.refusals += u64::from(matches!(change, Some(Change::Append(_))));
        self.gaps += u64::from(error.kind() == ErrorKind::OffsetGone);
    }
}

/// The figures of a channel, and their wanted format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    offset: Offset,
    published: u64,
    events: u64,
    stored_bytes: u64,
    is_text: bool,
}

impl Stats {
    pub(crate) fn of(channel: &Channel, is_text: bool) -> Stats {
        Stats {
            offset: channel.tail_offset(),
            published: channel.tail,
            events: channel.tail + 1 - channel.first,
            stored_bytes: channel.total - channel.dropped,
            is_text,
        }
    }

    /// The answer, for the channel of this name.
    pub fn reply(&self, function: &str, channel: &str, scope: Scope, activity: &Activity) -> Reply {
        let (scope, instance) = match scope {
            Scope::Channel => ("channel", None),
            Scope::Instance(name) => ("instance", Some(format!("{name:08x}"))),
        };
        if !self.is_text {
            return json(self.json(scope, instance, activity).to_string());
        }
        // Names hold no character that needs escaping.
        let instance = instance.map(|name| format!(r#",instance_id="{name}""#)).unwrap_or_default();
        let labels =
            format!(r#"function="{function}",channel="{channel}",scope="{scope}"{instance}"#);
        let mut reply = json(self.text(&labels, activity));
        set(&mut reply, header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
        reply
    }

    fn json(&self, scope: &str, instance: Option<String>, activity: &Activity) -> Value {
        let readers: Map<String, Value> =
            readers(activity).map(|(name, count)| (name.into(), count.into())).collect();
        let Activity { drops, gaps, refusals, .. } = activity;
        let mut stats = serde_json::json!({
            "scope": scope, "readers": readers, "offset": self.offset.to_string(), "events": self.events, "storedBytes": self.stored_bytes,
            "sinceWake": {"drops": drops, "gaps": gaps, "refusals": refusals},
        });
        if let Some(stats) = stats.as_object_mut() {
            if let Some(instance) = instance {
                stats.insert("instance".into(), instance.into());
            }
            // Most functions have no Web Push.
            if !activity.pushes.is_empty() {
                let pushes = activity.pushes.iter();
                let pushes: Map<String, Value> =
                    pushes.map(|(name, count)| ((*name).into(), (*count).into())).collect();
                stats.insert("pushes".into(), pushes.into());
            }
            if let Some(StoreHealth { engine, look, reconnects }) = activity.store {
                let look_ms = look.as_micros() as f64 / 1_000.0;
                let store = serde_json::json!({"engine": engine, "lookMs": look_ms, "reconnects": reconnects});
                stats.insert("store".into(), store);
            }
        }
        stats
    }

    /// For Prometheus.
    fn text(&self, labels: &str, activity: &Activity) -> String {
        let mut text = String::from(
            "# HELP tidewire_readers Readers connected now.\n# TYPE tidewire_readers gauge\n",
        );
        for (name, count) in readers(activity) {
            let _ = writeln!(text, r#"tidewire_readers{{{labels},transport="{name}"}} {count}"#);
        }
        for (name, kind, help, value) in [
            (
                "published_total",
                "counter",
                "Events appended since the channel was created.",
                self.published,
            ),
            ("events", "gauge", "Events kept.", self.events),
            ("stored_bytes", "gauge", "Bytes of the events kept.", self.stored_bytes),
            (
                "drops_total",
                "counter",
                "Readers disconnected for being slow, since it woke.",
                activity.drops,
            ),
            (
                "gaps_total",
                "counter",
                "Readers notified that events are gone, since it woke.",
                activity.gaps,
            ),
            (
                "refusals_total",
                "counter",
                "Publishes refused by the channel, since it woke.",
                activity.refusals,
            ),
        ] {
            let _ = writeln!(
                text,
                "# HELP tidewire_{name} {help}\n# TYPE tidewire_{name} {kind}\ntidewire_{name}{{{labels}}} {value}"
            );
        }
        if !activity.pushes.is_empty() {
            text.push_str("# HELP tidewire_pushes_total Results of Web Push, since it woke.\n# TYPE tidewire_pushes_total counter\n");
        }
        for (result, count) in &activity.pushes {
            let _ =
                writeln!(text, r#"tidewire_pushes_total{{{labels},result="{result}"}} {count}"#);
        }
        if let Some(StoreHealth { engine, look, reconnects }) = activity.store {
            let seconds = look.as_secs_f64();
            let _ = writeln!(
                text,
                "# HELP tidewire_store_look_seconds How long the last look at the store took.\n# TYPE tidewire_store_look_seconds gauge\n\
                 tidewire_store_look_seconds{{{labels},engine=\"{engine}\"}} {seconds}\n\
                 # HELP tidewire_store_reconnects_total Connections to the store that failed and were replaced, since it woke.\n# TYPE tidewire_store_reconnects_total counter\n\
                 tidewire_store_reconnects_total{{{labels},engine=\"{engine}\"}} {reconnects}"
            );
        }
        text
    }
}

/// How many readers there are of each transport.
fn readers(activity: &Activity) -> impl Iterator<Item = (&'static str, u64)> {
    Framing::ALL.into_iter().map(|framing| {
        let count = activity.readers.get(&framing).copied().unwrap_or_default();
        (framing.transport().name(), count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ContentType;

    fn body(is_text: bool) -> String {
        let channel = Channel {
            first: 3,
            tail: 4,
            dropped: 10,
            total: 25,
            ..Channel::new(1, ContentType::json())
        };
        let activity = Activity {
            readers: [(Framing::TidewireV1, 2), (Framing::News, 1)].into(),
            drops: 3,
            gaps: 4,
            refusals: 5,
            pushes: BTreeMap::new(),
            store: None,
        };
        let reply = Stats::of(&channel, is_text).reply("feed", "room", Scope::Channel, &activity);
        assert_eq!(reply.headers()[header::CACHE_CONTROL], "no-store");
        String::from_utf8(reply.into_body()).unwrap()
    }

    #[test]
    fn as_json_by_default() {
        let expected = serde_json::json!({
            "scope": "channel", "readers": {"websocket": 2, "event-source": 0, "durable-sse": 0, "long-poll": 1, "awareness": 0, "y-websocket": 0},
            "offset": "000000000001_00000000000004", "events": 2, "storedBytes": 15, "sinceWake": {"drops": 3, "gaps": 4, "refusals": 5},
        });
        assert_eq!(serde_json::from_str::<Value>(&body(false)).unwrap(), expected);
    }

    #[test]
    fn as_text_for_prometheus() {
        let text = body(true);
        for line in [
            r#"tidewire_readers{function="feed",channel="room",scope="channel",transport="websocket"} 2"#,
            r#"tidewire_published_total{function="feed",channel="room",scope="channel"} 4"#,
            r#"tidewire_stored_bytes{function="feed",channel="room",scope="channel"} 15"#,
            "# TYPE tidewire_refusals_total counter",
        ] {
            assert!(text.lines().any(|given| given == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn results_of_web_push_are_told_where_there_are_some() {
        let activity =
            Activity { pushes: [("sent", 2), ("gone", 1)].into(), ..Activity::default() };
        let told = |is_text| {
            let stats = Stats::of(&Channel::new(1, ContentType::json()), is_text);
            let reply = stats.reply("notifications", "user-7", Scope::Channel, &activity);
            String::from_utf8(reply.into_body()).unwrap()
        };
        assert!(told(false).contains(r#""pushes":{"gone":1,"sent":2}"#), "{}", told(false));
        assert!(told(true).contains(
            r#"tidewire_pushes_total{function="notifications",channel="user-7",scope="channel",result="sent"} 2"#
        ));
    }

    #[test]
    fn a_store_that_channels_share_is_told() {
        let store =
            StoreHealth { engine: "redis", look: Duration::from_micros(1_250), reconnects: 2 };
        let activity = Activity { store: Some(store), ..Activity::default() };
        let told = |is_text| {
            let stats = Stats::of(&Channel::new(1, ContentType::json()), is_text);
            let reply = stats.reply("feed", "room", Scope::Instance(10), &activity);
            String::from_utf8(reply.into_body()).unwrap()
        };
        let json: Value = serde_json::from_str(&told(false)).unwrap();
        let expected = serde_json::json!({"engine": "redis", "lookMs": 1.25, "reconnects": 2});
        assert_eq!(json["store"], expected);
        let labels = r#"function="feed",channel="room",scope="instance",instance_id="0000000a",engine="redis""#;
        for line in [
            format!("tidewire_store_look_seconds{{{labels}}} 0.00125"),
            format!("tidewire_store_reconnects_total{{{labels}}} 2"),
        ] {
            assert!(told(true).lines().any(|given| given == line), "{line}\n{}", told(true));
        }
    }

    #[test]
    fn an_instance_has_a_name() {
        let tell = |is_text| {
            let stats = Stats::of(&Channel::new(1, ContentType::json()), is_text);
            String::from_utf8(
                stats.reply("feed", "room", Scope::Instance(10), &Activity::default()).into_body(),
            )
            .unwrap()
        };
        assert!(
            tell(false).contains(r#""instance":"0000000a""#)
                && tell(false).contains(r#""scope":"instance""#)
        );
        assert!(tell(true).contains(r#"tidewire_events{function="feed",channel="room",scope="instance",instance_id="0000000a"} 0"#));
    }

    #[test]
    fn an_empty_channel_keeps_nothing() {
        assert_eq!(Stats::of(&Channel::new(1, ContentType::json()), false).events, 0);
    }
}
