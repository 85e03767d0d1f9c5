//! Awareness of a shared document: its clients with their names and cursors, as Yjs has it
//! (`awareness.js` of `y-protocols` 1).
//!
//! It is the [presence](crate::Presence) of the document's channel: each client of Yjs is a member,
//! whose state holds its clock. So it is never an event, and a client that vanishes loses it with
//! its lease. A client that leaves says so with the state `null`, under its last clock, and stays a
//! member until its lease ends: readers accept a state only under a clock that is not lower than
//! the last clock of this client.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::presence::Member;

/// The stream of awareness that every document has, and the only one that is read live.
pub(crate) const DEFAULT: &str = "default";

/// Longest state of one client, in bytes of JSON: a name, a colour and a cursor take a tenth of it,
/// and the attachment of a socket holds it.
pub const MAX_CLIENT_STATE_BYTES: usize = 4_096;
/// Most clients in one message. A page sends its own state, and the states of pages in other tabs.
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

/// The new state of a socket's own client among these states, if it is news. `held` is the member
/// that the socket has been so far, `present` returns the members of the channel.
///
/// A socket speaks for one client, the first that it names: stock clients send every state that
/// they receive back to the server, and announce that others have left.
pub(crate) fn own(
    said: &[ClientState],
    held: Option<&Member>,
    present: impl FnOnce() -> Result<Vec<Member>>,
) -> Result<Option<Member>> {
    let is_own = |client: &&ClientState| match held {
        Some(held) => held.id == client.client.to_string(),
        None => !client.has_left(),
    };
    let mut own = said.iter().filter(is_own).peekable();
    if own.peek().is_none() {
        return Ok(None);
    }
    let present = present()?;
    let Some(news) = own.find(|client| client.is_news(&present, DEFAULT)) else { return Ok(None) };
    if news.state.len() > MAX_CLIENT_STATE_BYTES {
        return Err(too_large(news.state.len()));
    }
    Ok(news.member(DEFAULT))
}

/// A state of so many bytes is refused.
pub(crate) fn too_large(bytes: usize) -> Error {
    let why = format!(
        "the awareness of a client must have at most {MAX_CLIENT_STATE_BYTES} bytes, this one has {bytes}"
    );
    Error::new(ErrorKind::EventTooLarge, why)
}

/// Whether a member of a document only renews its state. When such a client vanishes, it falls
/// silent; other clients, such as those of `y-partyserver`, are silent anyway.
pub fn is_renewal(before: &Member, said: &Member) -> bool {
    match (ClientState::of(before, DEFAULT), ClientState::of(said, DEFAULT)) {
        (Some(before), Some(said)) => {
            before.client == said.client && before.clock < said.clock && before.state == said.state
        }
        _ => false,
    }
}

/// A client as having left, under the last clock that was heard: a higher one would hide its next
/// states.
pub(crate) fn left(member: &Member) -> Option<Member> {
    let client = ClientState::of(member, DEFAULT)?;
    ClientState { state: "null".into(), ..client }.member(DEFAULT)
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
pub(crate) fn put_buffer(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// `varUint` of lib0.
pub(crate) fn put_uint(out: &mut Vec<u8>, mut number: u64) {
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
    fn a_socket_speaks_for_the_client_that_it_named_first() {
        let other = client(2, 5, "{}").member(DEFAULT).unwrap();
        let mine = client(1, 5, "{}").member(DEFAULT).unwrap();
        let said = |states: &[ClientState], held: Option<&Member>| {
            own(states, held, || Ok(vec![mine.clone(), other.clone()]))
                .map(|said| said.map(|member| ClientState::of(&member, DEFAULT).unwrap()))
                .map_err(|error| error.kind())
        };
        let (first, moved, echo) =
            (client(3, 0, "{}"), client(1, 6, "{}"), client(2, 6, r#"{"a":1}"#));
        assert_eq!(said(&[first.clone(), echo.clone()], None), Ok(Some(first)));
        assert_eq!(said(&[echo.clone(), moved.clone()], Some(&mine)), Ok(Some(moved)));
        assert_eq!(said(&[echo, client(2, 5, "null")], Some(&mine)), Ok(None));
        assert_eq!(said(&[client(1, 5, "{}")], Some(&mine)), Ok(None));
        assert_eq!(said(&[client(1, 5, "null")], Some(&mine)), Ok(Some(client(1, 5, "null"))));
        // A socket that is nobody yet cannot say of others that they left.
        assert_eq!(said(&[client(2, 9, "null")], None), Ok(None));
        let long = format!("\"{}\"", "a".repeat(MAX_CLIENT_STATE_BYTES));
        assert_eq!(said(&[client(1, 6, &long)], Some(&mine)), Err(ErrorKind::EventTooLarge));
        let unread = own(&[client(2, 6, "{}")], Some(&mine), || panic!("the members are read"));
        assert_eq!(unread.unwrap(), None);
    }

    #[test]
    fn a_renewal_changes_the_clock_alone_and_a_farewell_keeps_it() {
        let member = |clock, state| client(1, clock, state).member(DEFAULT).unwrap();
        assert!(is_renewal(&member(1, "{}"), &member(2, "{}")));
        assert!(!is_renewal(&member(1, "{}"), &member(2, r#"{"a":1}"#)));
        assert!(!is_renewal(&member(2, "{}"), &member(2, "{}")));
        assert_eq!(left(&member(2, "{}")), Some(member(2, "null")));
        assert_eq!(left(&Member { id: "ann".into(), state: Some("{}".into()) }), None);
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
