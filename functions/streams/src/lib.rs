//! The raw log: Durable Streams over HTTP, for clients that speak that protocol.

use tidewire_core::{
    ChannelName, Creation, Function, Identity, NameShape, Policy, Rights, Settings,
};

#[cfg(target_os = "wasi")]
mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// Path below which the protocol's clients expect streams.
pub const PATH: &str = "/v1/stream/";

/// The raw log.
pub struct Streams;

impl Function for Streams {
    const NAME: &'static str = "streams";
    const CHANNEL_NAMES: NameShape = NameShape::Path;

    fn policy(settings: &Settings) -> Policy {
        // The protocol's clients append chunks as large as a request may be.
        Policy {
            max_event_bytes: settings.max_body_bytes,
            ..Policy::new(Creation::OnPut, settings)
        }
    }

    // Change this first: the subject of a token owns the streams below `{subject}/`; a ticket
    // grants the rights that it names.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        match identity {
            _ if settings.open_access || channel.is_demo() => Rights::ALL,
            Identity::Token(token)
                if channel
                    .as_str()
                    .split_once('/')
                    .is_some_and(|(owner, _)| owner == token.subject) =>
            {
                Rights::ALL
            }
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Token(_) | Identity::Anonymous => Rights::NONE,
        }
    }
}
