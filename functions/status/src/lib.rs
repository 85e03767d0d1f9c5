//! A status that changes rarely: set by `POST`, read by short polling, unchanged for the price of a
//! 304.
//!
//! This file holds the choices; the rules are in `tidewire-core`, the platforms in `workers.rs` and
//! `spin.rs`.

use tidewire_core::{
    Asset, ChannelName, ContentType, Creation, Function, Identity, Policy, Polling, Retention,
    Right, Rights, Settings,
};

pub mod message;
#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// The status.
pub struct Status;

impl Function for Status {
    const NAME: &'static str = "status";
    // The writer and the page agree on the form of a value (`message.rs`): the server accepts any
    // JSON.
    const ASSETS: &'static [Asset] = &[
        Asset {
            path: "",
            content_type: "text/html; charset=utf-8",
            body: include_str!("../public/index.html"),
        },
        Asset {
            path: "-/status.css",
            content_type: "text/css; charset=utf-8",
            body: include_str!("../public/status.css"),
        },
        Asset {
            path: "-/access.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/access.js"),
        },
        Asset {
            path: "-/board.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/board.js"),
        },
        Asset {
            path: "-/status.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/status.js"),
        },
    ];

    fn policy(settings: &Settings) -> Policy {
        let policy = Policy::new(Creation::OnPublish(ContentType::json()), settings);
        Policy {
            // Only the newest value counts, however old it is.
            retention: Retention { max_events: 1, max_age_ms: u64::MAX, ..policy.retention },
            max_batch_events: 1,
            polling: Polling {
                // Open pages follow a change of this number. Each page polls 17,280 times a day at
                // 5 s, 2,880 times at 30 s.
                retry_after_s: Some(5),
                // `Some(5)` lets every cache answer for 5 s. Only if everyone may read every
                // channel: a cache does not call `authorize`.
                public_max_age_s: None,
            },
            ..policy
        }
    }

    // Change this first: users with a token may read; writers use a ticket.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        match identity {
            _ if settings.open_access || channel.is_demo() => Rights::ALL,
            Identity::Token(_) => Right::Read.into(),
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Anonymous => Rights::NONE,
        }
    }
}
