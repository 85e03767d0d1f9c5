//! Live dashboards and feeds: authorized publishers send samples, authorized readers watch them.
//!
//! This file holds the choices; the rules are in `tidewire-core`, the platforms in `workers.rs` and
//! `spin.rs`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tidewire_core::{
    Asset, ChannelName, ContentType, Creation, Function, Identity, Policy, Right, Rights, Settings,
};

pub mod message;
#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// The feed.
pub struct Feed;

impl Function for Feed {
    const NAME: &'static str = "feed";
    // Publishers and page agree on the form of an event (`message.rs`): the server accepts any
    // JSON.
    const ASSETS: &'static [Asset] = &[
        Asset {
            path: "",
            content_type: "text/html; charset=utf-8",
            body: include_str!("../public/index.html"),
        },
        Asset {
            path: "-/feed.css",
            content_type: "text/css; charset=utf-8",
            body: include_str!("../public/feed.css"),
        },
        Asset {
            path: "-/access.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/access.js"),
        },
        Asset {
            path: "-/charts.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/charts.js"),
        },
        Asset {
            path: "-/feed.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/feed.js"),
        },
        Asset {
            path: "-/reader.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/reader.js"),
        },
    ];

    fn policy(settings: &Settings) -> Policy {
        Policy::new(Creation::OnPublish(ContentType::json()), settings)
            .with_latest(series, settings)
    }

    // Change this first: users with a token may read; publishers use a ticket.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        match identity {
            _ if settings.open_access || channel.is_demo() => Rights::ALL,
            Identity::Token(_) => Right::Read.into(),
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Anonymous => Rights::NONE,
        }
    }
}

/// The keys for `view=latest`, which keeps the newest event of each. An event that is not a sample
/// has no key.
fn series(event: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Series {
        values: BTreeMap<String, IgnoredAny>,
    }
    serde_json::from_slice(event)
        .map_or_else(|_| Vec::new(), |Series { values }| values.into_keys().collect())
}
