//! Commands for devices that can only send requests: a device long-polls its channel, carries out
//! each command, and reports in a second channel.
//!
//! Both hold lines of text, so that a shell is enough. `{device}`: `ID COMMAND`; `{device}:done`:
//! `ID done` or `ID failed`, with an optional note. This file holds the choices; the rules are in
//! `tidewire-core`, the platforms in `workers.rs` and `spin.rs`.

use tidewire_core::{
    Asset, ChannelName, ContentType, Creation, Function, Identity, PageLimit, Policy, Retention,
    Right, Rights, Settings,
};

#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// Longest command and longest answer, in bytes with the id; a longer one gets 413.
const MAX_BYTES: u64 = 4_096;

/// Seconds for which a command is valid: older ones are dropped, so that a device that was offline
/// does not open the door at night. The page shows `timed out` after the same time.
const TIMEOUT_S: u64 = 30;

/// The devices.
pub struct Devices;

impl Function for Devices {
    const NAME: &'static str = "devices";
    const ASSETS: &'static [Asset] = &[
        Asset {
            path: "",
            content_type: "text/html; charset=utf-8",
            body: include_str!("../public/index.html"),
        },
        Asset {
            path: "-/devices.css",
            content_type: "text/css; charset=utf-8",
            body: include_str!("../public/devices.css"),
        },
        Asset {
            path: "-/access.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/access.js"),
        },
        Asset {
            path: "-/channels.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/channels.js"),
        },
        Asset {
            path: "-/devices.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/devices.js"),
        },
        Asset {
            path: "-/lamp.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/lamp.js"),
        },
    ];

    fn policy(settings: &Settings) -> Policy {
        let policy = Policy::new(Creation::OnPublish(ContentType::text()), settings);
        Policy {
            max_event_bytes: MAX_BYTES,
            retention: Retention { max_age_ms: TIMEOUT_S * 1000, ..policy.retention },
            // One command in one answer: nothing to split, and the offset of each command is known.
            page: PageLimit { max_events: 1, ..policy.page },
            ..policy
        }
    }

    // Change this first: a token belongs to a device, which is its subject: it reads its channel
    // and publishes to the one that ends in `:done`. A sender of commands does the reverse, by
    // ticket.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        match identity {
            _ if settings.open_access || channel.is_demo() => Rights::ALL,
            Identity::Token(device) if channel.as_str() == device.subject => Right::Read.into(),
            Identity::Token(device)
                if channel.as_str().strip_suffix(":done") == Some(&device.subject) =>
            {
                Right::Publish.into()
            }
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Token(_) | Identity::Anonymous => Rights::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_knows_the_time_out() {
        assert!(
            include_str!("../public/devices.js")
                .contains(&format!("const TIMEOUT_S = {TIMEOUT_S};"))
        );
    }
}
