//! Awareness of a shared document: who is there and where, as Yjs has it (`awareness.js` of
//! `y-protocols` 1).
//!
//! It is the [presence](crate::Presence) of the document's channel: each client of Yjs is a member,
//! whose state holds its clock. So it is never an event, and a client that vanishes loses it with
//! its lease. A client that leaves says so with the state `null`, under its last clock, and stays a
//! member until its lease ends: readers take a state only under a clock that is not lower than the
//! one that they know.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::presence::Member;

/// The stream of awareness that every document has, and the only one that is read live.
pub(crate) const DEFAULT: &str = "default";

/// Longest state of one client, in bytes of JSON: a name, a colour and a cursor take a tenth of it,
/// and the attachment of a socket holds it.
pub const MAX_CLIENT_STATE_BYTES: usize = 4_096;
/// Most clients in one message. A page sends its own state, and those of its neighbours in other
/// tabs.
pub const MAX_CLIENT_STATES: usize = 20;

/// The state of one client of Yjs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientState {
    /// Its client id, a number that it drew.
    pub client: u64,
    /// Rises with each state and each renewal.
    pub clock: u64,
    /// JSON text; `null` if the client left.
    pub state: String,
}

/// The state of a member that is a client of Yjs.
#[derive(Serialize, Deserialize)]
struct Said<'a> {
    // Stores compare it: see `PUT_MEMBER` of Spin's.
    #[serde(rename = "awarenessClock")]
    clock: u64,
    #[serde(borrow)]
    state: &'a RawValue,
}

impl ClientState {
    /// The member that it is in a stream of awareness. `None` if its state is not JSON.
    pub fn member(&self, stream: &str) -> Option<Member> {
        let state = serde_json::from_str(&self.state).ok()?;
        let said = Said { clock: self.clock, state };
        let id = format!("{}{}", prefix(stream), self.client);
        Some(Member { id, state: serde_json::to_string(&said).ok() })
    }

    /// The client that a member of a stream is.
    pub fn of(member: &Member, stream: &str) -> Option<ClientState> {
        let client = member.id.strip_prefix(&prefix(stream))?.parse().ok()?;
        let said: Said<'_> = serde_json::from_str(member.state.as_deref()?).ok()?;
        Some(ClientState { client, clock: said.clock, state: said.state.get().into() })
    }

    /// Whether it says that the client left.
    pub fn has_left(&self) -> bool {
        self.state == "null"
    }

    /// Whether a peer that has heard of these members would take it. A request that was overtaken by
    /// a later one must not hide its state.
    pub fn is_news(&self, present: &[Member], stream: &str) -> bool {
        let id = format!("{}{}", prefix(stream), self.client);
        let known = present
            .iter()
            .find(|member| member.id == id)
            .and_then(|member| ClientState::of(member, stream));
        match known {
            Some(known) => {
                self.clock > known.clock
                    || self.clock == known.clock && self.has_left() && !known.has_left()
            }
            None => !self.has_left(),
        }
    }
}

/// The beginning of the ids of a stream's members. Alone it is the id of the member that stands for
/// a named stream without clients.
pub(crate) fn prefix(stream: &str) -> String {
    if stream == DEFAULT { String::new() } else { format!("{stream}:") }
}

/// Whether a member belongs to a stream.
pub(crate) fn is_of(member: &Member, stream: &str) -> bool {
    match member.id.split_once(':') {
        Some((given, _)) => given == stream,
        None => stream == DEFAULT,
    }
}

/// The clients among these members, as one awareness update. Empty without any.
pub(crate) fn update(members: &[Member], stream: &str) -> Vec<u8> {
    let states: Vec<_> =
        members.iter().filter_map(|member| ClientState::of(member, stream)).collect();
    let mut out = Vec::new();
    if states.is_empty() {
        return out;
    }
    put_uint(&mut out, states.len() as u64);
    for ClientState { client, clock, state } in &states {
        put_uint(&mut out, *client);
        put_uint(&mut out, *clock);
        put_buffer(&mut out, state.as_bytes());
    }
    out
}

/// The same behind its length, as in a body of Durable Streams.
pub(crate) fn frame(members: &[Member], stream: &str) -> Vec<u8> {
    let update = update(members, stream);
    let mut out = Vec::new();
    if !update.is_empty() {
        put_buffer(&mut out, &update);
    }
    out
}

/// `varUint8Array` and `varString` of lib0.
fn put_buffer(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// `varUint` of lib0.
fn put_uint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(client: u64, clock: u64, state: &str) -> ClientState {
        ClientState { client, clock, state: state.into() }
    }

    #[test]
    fn a_client_is_a_member_and_the_member_is_the_client() {
        for said in [client(1, 0, "{}"), client(300, 7, "null"), client(3, 9, r#"{"a": [1]}"#)] {
            for stream in [DEFAULT, "cursors"] {
                let member = said.member(stream).unwrap();
                assert_eq!(ClientState::of(&member, stream).unwrap(), said);
                assert!(is_of(&member, stream) && !is_of(&member, "other"));
            }
        }
        assert_eq!(client(1, 0, "{").member(DEFAULT), None);
        assert_eq!(client(7, 0, "1").member("cursors").unwrap().id, "cursors:7");
    }

    #[test]
    fn a_state_is_news_as_it_is_for_a_peer() {
        let present = [client(1, 5, "{}").member(DEFAULT).unwrap()];
        for (said, is_news) in [
            (client(1, 6, "{}"), true),
            (client(1, 5, "{}"), false),
            (client(1, 4, "{}"), false),
            (client(1, 5, "null"), true),
            (client(1, 4, "null"), false),
            (client(2, 0, "{}"), true),
            (client(2, 0, "null"), false),
        ] {
            assert_eq!(said.is_news(&present, DEFAULT), is_news, "{said:?}");
        }
    }

    #[test]
    fn only_the_clients_of_a_stream_are_in_its_bytes() {
        let members = [
            client(1, 0, "{}").member(DEFAULT).unwrap(),
            client(2, 0, "{}").member("cursors").unwrap(),
            client(300, 7, "null").member(DEFAULT).unwrap(),
            Member { id: "ann".into(), state: Some("{}".into()) },
            Member { id: "4".into(), state: None },
        ];
        assert_eq!(frame(&members, DEFAULT), b"\x0e\x02\x01\x00\x02{}\xac\x02\x07\x04null");
        assert_eq!(frame(&members, "cursors"), b"\x06\x01\x02\x00\x02{}");
        assert!(frame(&members, "other").is_empty());
    }
}
