//! Live dashboards and feeds: anyone who may publishes samples, everyone who may watches them.
//!
//! This file holds the choices; the rules are in `tidewire-core`, the platforms in `workers.rs` and `spin.rs`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tidewire_core::{Asset, ChannelName, ContentType, Creation, Function, Identity, Policy, Right, Rights, Settings};

pub mod message;
#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// The feed.
pub struct Feed;

impl Function for Feed {
    const NAME: &'static str = "feed";
    // What an event looks like is between publishers and page (`message.rs`): any JSON is taken.
    const ASSETS: &'static [Asset] = &[
        Asset { path: "", content_type: "text/html; charset=utf-8", body: include_str!("../public/index.html") },
        Asset { path: "-/feed.css", content_type: "text/css; charset=utf-8", body: include_str!("../public/feed.css") },
        Asset { path: "-/access.js", content_type: "text/javascript; charset=utf-8", body: include_str!("../public/access.js") },
        Asset { path: "-/charts.js", content_type: "text/javascript; charset=utf-8", body: include_str!("../public/charts.js") },
        Asset { path: "-/feed.js", content_type: "text/javascript; charset=utf-8", body: include_str!("../public/feed.js") },
        Asset { path: "-/reader.js", content_type: "text/javascript; charset=utf-8", body: include_str!("../public/reader.js") },
    ];

    fn policy(settings: &Settings) -> Policy {
        Policy { latest: Some(series), ..Policy::new(Creation::OnPublish(ContentType::json()), settings) }
    }

    // Change this first: whom the provider knows may watch; what publishes has a ticket.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        match identity {
            _ if settings.open_access || channel.is_demo() => Rights::ALL,
            Identity::Token(_) => Right::Read.into(),
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Anonymous => Rights::NONE,
        }
    }
}

/// What `view=latest` keeps the newest event of. Whatever is no sample belongs to no series.
fn series(event: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Series {
        values: BTreeMap<String, IgnoredAny>,
    }
    serde_json::from_slice(event).map_or_else(|_| Vec::new(), |Series { values }| values.into_keys().collect())
}
