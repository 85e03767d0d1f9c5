//! One Worker for every template: the first path segment chooses the function. The gallery is at `/`.

use tidewire_core::Asset;

#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod workers;

/// The gallery's files.
pub const GALLERY: &[Asset] = &[
    Asset { path: "", content_type: "text/html; charset=utf-8", body: include_str!("../public/index.html") },
    Asset { path: "-/gallery.css", content_type: "text/css; charset=utf-8", body: include_str!("../public/gallery.css") },
];
