//! Who asks. What is in here was verified: by `tidewire-access`, before anything of a channel is touched.

use serde_json::{Map, Value};

use super::rights::Rights;
use crate::channel::ChannelName;

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Identity {
    /// Nobody in particular: no credential came with the request.
    Anonymous,
    /// Who was given one of our own short tickets.
    Ticket(Ticket),
    /// Who is known to the provider whose keys `JWKS_URL` has.
    Token(Token),
}

/// A ticket: it says itself what it grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// `jti`, by which it can be revoked.
    pub id: Option<String>,
    /// `sub`: who was given it.
    pub subject: Option<String>,
    /// The channel, or the beginning of its name followed by `*`.
    pub channels: String,
    /// What it grants there.
    pub rights: Rights,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// A token of a provider: it says who someone is, and nothing of channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// `sub`.
    pub subject: String,
    /// All claims, `sub` included.
    pub claims: Map<String, Value>,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: u64,
}

impl Identity {
    /// Who it is, where it says so.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Identity::Anonymous => None,
            Identity::Ticket(ticket) => ticket.subject.as_deref(),
            Identity::Token(token) => Some(&token.subject),
        }
    }

    /// When it ends, in milliseconds since 1970; `None` for nobody in particular.
    pub fn expires_ms(&self) -> Option<u64> {
        match self {
            Identity::Anonymous => None,
            Identity::Ticket(ticket) => Some(ticket.expires_ms),
            Identity::Token(token) => Some(token.expires_ms),
        }
    }

    /// What a ticket grants in a channel; nothing to everyone else.
    pub fn granted(&self, channel: &ChannelName) -> Rights {
        match self {
            Identity::Ticket(ticket) if ticket.covers(channel) => ticket.rights,
            _ => Rights::NONE,
        }
    }
}

impl Ticket {
    fn covers(&self, channel: &ChannelName) -> bool {
        match self.channels.strip_suffix('*') {
            Some(beginning) => channel.as_str().starts_with(beginning),
            None => channel.as_str() == self.channels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Right;
    use crate::channel::NameShape;

    fn granted(channels: &str, channel: &str) -> bool {
        let rights = Rights::NONE.with(Right::Read);
        let ticket = Ticket { id: None, subject: None, channels: channels.into(), rights, expires_ms: 0 };
        Identity::Ticket(ticket).granted(&ChannelName::from_path(channel, NameShape::Path).unwrap()) == rights
    }

    #[test]
    fn a_ticket_covers_its_channel_or_all_that_begin_alike() {
        assert!(granted("room", "room") && granted("team:*", "team:a") && granted("*", "room"));
        assert!(!granted("room", "rooms") && !granted("team:*", "team2:a") && !granted("team:*", "other") && !granted("", "room"));
    }

    #[test]
    fn nobody_is_granted_anything() {
        assert_eq!(Identity::Anonymous.granted(&ChannelName::from_path("room", NameShape::Segment).unwrap()), Rights::NONE);
    }
}
