//! One Worker for every template: the first path segment chooses the function. The gallery is at
//! `/`.

use tidewire_core::Asset;

#[cfg(target_arch = "wasm32")]
mod naive;
#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod workers;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The gallery's files.
pub const GALLERY: &[Asset] = &[
    Asset {
        path: "",
        content_type: "text/html; charset=utf-8",
        body: include_str!("../public/index.html"),
    },
    Asset {
        path: "-/gallery.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("../public/gallery.css"),
    },
    Asset {
        path: "-/cards/cards.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/cards.js"),
    },
    Asset {
        path: "-/cards/chat.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/chat.js"),
    },
    Asset {
        path: "-/cards/collab.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/collab.js"),
    },
    Asset {
        path: "-/cards/devices.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/devices.js"),
    },
    Asset {
        path: "-/cards/feed.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/feed.js"),
    },
    Asset {
        path: "-/cards/me.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/me.js"),
    },
    Asset {
        path: "-/cards/notifications.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/notifications.js"),
    },
    Asset {
        path: "-/cards/progress.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/progress.js"),
    },
    Asset {
        path: "-/cards/stage.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/stage.js"),
    },
    Asset {
        path: "-/cards/status.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/status.js"),
    },
    Asset {
        path: "-/cards/streams.js",
        content_type: SCRIPT,
        body: include_str!("../public/cards/streams.js"),
    },
    Asset {
        path: "-/gallery.js",
        content_type: SCRIPT,
        body: include_str!("../public/gallery.js"),
    },
    Asset { path: "-/lanes.js", content_type: SCRIPT, body: include_str!("../public/lanes.js") },
    Asset { path: "-/line.js", content_type: SCRIPT, body: include_str!("../public/line.js") },
    Asset {
        path: "-/platform.js",
        content_type: SCRIPT,
        body: include_str!("../public/platform.js"),
    },
    Asset { path: "-/plug.js", content_type: SCRIPT, body: include_str!("../public/plug.js") },
    Asset { path: "-/rows.js", content_type: SCRIPT, body: include_str!("../public/rows.js") },
    Asset { path: "-/slots.js", content_type: SCRIPT, body: include_str!("../public/slots.js") },
];
