//! One Worker for every template: the first path segment chooses the function. The gallery is at `/`.

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
    Asset { path: "", content_type: "text/html; charset=utf-8", body: include_str!("../public/index.html") },
    Asset { path: "-/gallery.css", content_type: "text/css; charset=utf-8", body: include_str!("../public/gallery.css") },
    Asset { path: "-/client.js", content_type: SCRIPT, body: include_str!("../public/client.js") },
    Asset { path: "-/gallery.js", content_type: SCRIPT, body: include_str!("../public/gallery.js") },
    Asset { path: "-/lanes.js", content_type: SCRIPT, body: include_str!("../public/lanes.js") },
    Asset { path: "-/line.js", content_type: SCRIPT, body: include_str!("../public/line.js") },
    Asset { path: "-/miniatures.js", content_type: SCRIPT, body: include_str!("../public/miniatures.js") },
    Asset { path: "-/platform.js", content_type: SCRIPT, body: include_str!("../public/platform.js") },
    Asset { path: "-/plug.js", content_type: SCRIPT, body: include_str!("../public/plug.js") },
    Asset { path: "-/slots.js", content_type: SCRIPT, body: include_str!("../public/slots.js") },
];
