//! Rooms: history, who is here, who is typing.
//!
//! This file holds the choices; the rules are in `tidewire-core`, the platform in `workers.rs`.

use tidewire_core::{Asset, ChannelName, ContentType, Creation, Function, Identity, Policy, Rights, Settings};

#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// The chat.
pub struct Chat;

impl Function for Chat {
    const NAME: &'static str = "chat";
    const ASSETS: &'static [Asset] = &[
        Asset { path: "", content_type: "text/html; charset=utf-8", body: include_str!("../public/index.html") },
        Asset { path: "-/chat.css", content_type: "text/css; charset=utf-8", body: include_str!("../public/chat.css") },
        Asset { path: "-/chat.js", content_type: "text/javascript; charset=utf-8", body: include_str!("../public/chat.js") },
    ];

    fn policy(settings: &Settings) -> Policy {
        Policy::new(Creation::OnPublish(ContentType::json()), settings)
    }

    // Change this first.
    fn authorize(_: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        if settings.open_access || channel.as_str().starts_with("demo-") { Rights::ALL } else { Rights::NONE }
    }
}
