//! Collab: shared documents of Yjs, one channel for each.
//!
//! This file holds the choices; `document.rs` and `wire.rs` read the bytes of Yjs, the rules are in
//! `tidewire-core`, the platforms in `workers.rs` and `spin.rs`.

use tidewire_core::{
    Asset, ChannelName, Creation, Documents, Function, Identity, NameShape, Policy, Presence,
    Right, Rights, Settings,
};

mod document;
#[cfg(target_os = "wasi")]
mod spin;
mod wire;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// How long a client stays that no longer says that it is there, in milliseconds: clients of Yjs
/// say so every 15 s, and forget a silent one after 30 s.
const AWARENESS_LEASE_MS: u64 = 30_000;

/// The shared documents.
pub struct Collab;

impl Function for Collab {
    const NAME: &'static str = "collab";
    const CHANNEL_NAMES: NameShape = NameShape::Document;
    const ASSETS: &'static [Asset] = &[
        Asset {
            path: "",
            content_type: "text/html; charset=utf-8",
            body: include_str!("../public/index.html"),
        },
        Asset {
            path: "-/collab.css",
            content_type: "text/css; charset=utf-8",
            body: include_str!("../public/collab.css"),
        },
        Asset {
            path: "-/access.js",
            content_type: SCRIPT,
            body: include_str!("../public/access.js"),
        },
        Asset {
            path: "-/awareness.js",
            content_type: SCRIPT,
            body: include_str!("../public/awareness.js"),
        },
        Asset {
            path: "-/binding.js",
            content_type: SCRIPT,
            body: include_str!("../public/binding.js"),
        },
        Asset {
            path: "-/carets.js",
            content_type: SCRIPT,
            body: include_str!("../public/carets.js"),
        },
        Asset {
            path: "-/collab.js",
            content_type: SCRIPT,
            body: include_str!("../public/collab.js"),
        },
        Asset { path: "-/diff.js", content_type: SCRIPT, body: include_str!("../public/diff.js") },
        Asset {
            path: "-/document.js",
            content_type: SCRIPT,
            body: include_str!("../public/document.js"),
        },
        Asset {
            path: "-/files.js",
            content_type: SCRIPT,
            body: include_str!("../public/files.js"),
        },
        Asset {
            path: "-/frames.js",
            content_type: SCRIPT,
            body: include_str!("../public/frames.js"),
        },
        Asset {
            path: "-/history.js",
            content_type: SCRIPT,
            body: include_str!("../public/history.js"),
        },
        Asset {
            path: "-/outbox.js",
            content_type: SCRIPT,
            body: include_str!("../public/outbox.js"),
        },
        Asset { path: "-/page.js", content_type: SCRIPT, body: include_str!("../public/page.js") },
        Asset {
            path: "-/people.js",
            content_type: SCRIPT,
            body: include_str!("../public/people.js"),
        },
        Asset { path: "-/yjs.js", content_type: SCRIPT, body: include_str!("../public/yjs.js") },
    ];

    fn policy(settings: &Settings) -> Policy {
        let presence = Presence::from_settings(settings);
        Policy {
            // A picture that is pasted into a document is one update.
            max_event_bytes: settings.max_body_bytes,
            check: |event, _, _| document::check(event),
            presence: Some(Presence {
                lease_ms: presence.lease_ms.min(AWARENESS_LEASE_MS),
                ..presence
            }),
            documents: Some(Documents {
                awareness: document::awareness,
                bare: document::bare,
                message: wire::message,
                summarize: wire::summarize,
                lacks: wire::lacks,
                max_bytes: document::MAX_BYTES,
            }),
            ..Policy::new(Creation::OnPut, settings).with_snapshots(document::compact, settings)
        }
    }

    // Change this first: any signed-in user may read and edit any document; nobody but a ticket may
    // delete one.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        match identity {
            _ if settings.open_access => Rights::ALL,
            _ if channel.is_demo() => Right::Read | Right::Publish | Right::Presence,
            Identity::Token(_) => Right::Read | Right::Publish | Right::Presence,
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Anonymous => Rights::NONE,
        }
    }
}
