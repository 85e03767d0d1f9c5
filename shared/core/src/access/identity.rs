//! The identity of a client. `tidewire-access` has verified it before the request reaches the
//! channel.

use serde_json::{Map, Value};

use super::rights::Rights;
use crate::channel::ChannelName;

/// The identity of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Identity {
    /// The request has no credential.
    Anonymous,
    /// The holder of one of our own short-lived tickets.
    Ticket(Ticket),
    /// A user of the provider whose keys are at `JWKS_URL`.
    Token(Token),
}

/// A ticket: it names the rights that it grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// `jti`, by which the ticket can be revoked.
    pub id: Option<String>,
    /// `sub`: the user that it was issued to.
    pub subject: Option<String>,
    /// The channel, or a prefix of channel names followed by `*`.
    pub channels: String,
    /// The rights that it grants there.
    pub rights: Rights,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// A token of a provider: it names a user, and no channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// `sub`.
    pub subject: String,
    /// All claims, `sub` included.
    pub claims: Map<String, Value>,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: u64,
}

impl Identity {
    /// The subject, if there is one.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Identity::Anonymous => None,
            Identity::Ticket(ticket) => ticket.subject.as_deref(),
            Identity::Token(token) => Some(&token.subject),
        }
    }

    /// The key of a limit of requests: requests with the same key count together. It names the
    /// subject, else the ticket, else the address.
    pub fn rate_key(&self, address: &str) -> String {
        let id = match self {
            Identity::Anonymous => None,
            Identity::Ticket(ticket) => ticket.subject.as_ref().or(ticket.id.as_ref()),
            Identity::Token(token) => Some(&token.subject),
        };
        id.map_or_else(|| format!("ip:{address}"), |id| format!("id:{id}"))
    }

    /// The expiry, in milliseconds since 1970; `None` for an anonymous client.
    pub fn expires_ms(&self) -> Option<u64> {
        match self {
            Identity::Anonymous => None,
            Identity::Ticket(ticket) => Some(ticket.expires_ms),
            Identity::Token(token) => Some(token.expires_ms),
        }
    }

    /// The rights that a ticket grants in a channel; any other identity has no rights.
    pub fn granted(&self, channel: &ChannelName) -> Rights {
        match self {
            Identity::Ticket(ticket) => ticket.granted(channel),
            _ => Rights::NONE,
        }
    }
}

impl Ticket {
    /// The rights that it grants in a channel; no right in a channel that it does not cover.
    pub fn granted(&self, channel: &ChannelName) -> Rights {
        if self.covers(channel) { self.rights } else { Rights::NONE }
    }

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
        let rights = Right::Read.into();
        let ticket =
            Ticket { id: None, subject: None, channels: channels.into(), rights, expires_ms: 0 };
        Identity::Ticket(ticket).granted(&ChannelName::from_path(channel, NameShape::Path).unwrap())
            == rights
    }

    #[test]
    fn a_ticket_covers_its_channel_or_all_that_begin_alike() {
        assert!(granted("room", "room") && granted("team:*", "team:a") && granted("*", "room"));
        assert!(
            !granted("room", "rooms")
                && !granted("team:*", "team2:a")
                && !granted("team:*", "other")
                && !granted("", "room")
        );
    }

    #[test]
    fn requests_of_a_subject_count_together_else_those_of_a_ticket_else_those_of_an_address() {
        let ticket = |id: Option<&str>, subject: Option<&str>| {
            Identity::Ticket(Ticket {
                id: id.map(Into::into),
                subject: subject.map(Into::into),
                channels: "*".into(),
                rights: Rights::NONE,
                expires_ms: 0,
            })
        };
        let token =
            Identity::Token(Token { subject: "ann".into(), claims: Map::new(), expires_ms: 0 });
        let keys = [
            Identity::Anonymous,
            ticket(None, None),
            ticket(Some("t"), None),
            ticket(Some("t"), Some("ann")),
            token,
        ]
        .map(|who| who.rate_key("::1"));
        assert_eq!(keys, ["ip:::1", "ip:::1", "id:t", "id:ann", "id:ann"]);
    }

    #[test]
    fn nobody_is_granted_anything() {
        assert_eq!(
            Identity::Anonymous
                .granted(&ChannelName::from_path("room", NameShape::Segment).unwrap()),
            Rights::NONE
        );
    }
}
