//! Awareness: the states of clients, such as names and cursors (`awareness.js` of `y-protocols` 1).

use crate::error::{ErrorKind, Result};
use crate::json::is_json;
use crate::limits::Limits;
use crate::reader::Reader;
use crate::writer::{put_buffer, put_uint};

/// The state of a client that has left.
pub const LEFT: &str = "null";

/// The state of one client.
///
/// A peer accepts a state whose clock is higher than the last clock of the client, or equal with
/// the state [`LEFT`]. So a server that announces that a client has left sends the client's last
/// clock: a higher clock would hide the next states of this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientState<'a> {
    /// The client.
    pub client: u64,
    /// Its clock, which each change and each renewal raises.
    pub clock: u64,
    /// JSON text.
    pub state: &'a str,
}

/// Reads an awareness update of at most [`Limits::structs`] clients, of which each state nests at
/// most [`Limits::depth`] deep.
///
/// # Errors
/// When the bytes are anything else than one awareness update, when a state is not JSON, or when it
/// exceeds a limit. The stock provider of `y-websocket` fails on such bytes, so they must not be
/// relayed.
pub fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<ClientState<'a>>> {
    let mut reader = Reader::new(bytes);
    if bytes.len() > limits.bytes {
        return Err(reader.error(ErrorKind::TooLarge));
    }
    let start = reader;
    let count = reader.count()?;
    if usize::try_from(count).is_ok_and(|count| count > limits.structs) {
        return Err(start.error(ErrorKind::TooMany));
    }
    let mut states = Vec::new();
    for _ in 0..count {
        let (client, clock) = (reader.uint()?, reader.uint()?);
        let start = reader;
        let state = reader.text()?;
        if !is_json(state, limits.depth) {
            return Err(start.error(ErrorKind::Json));
        }
        states.push(ClientState { client, clock, state });
    }
    reader.end()?;
    Ok(states)
}

/// The awareness update of these states.
#[must_use]
pub fn write(states: &[ClientState<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    put_uint(&mut out, states.len() as u64);
    for ClientState { client, clock, state } in states {
        put_uint(&mut out, *client);
        put_uint(&mut out, *clock);
        put_buffer(&mut out, state.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const LIMITS: Limits = Limits { bytes: 100, structs: 2, depth: 2 };

    #[test]
    fn states_are_read_as_they_were_written() {
        let states = [
            ClientState { client: 1, clock: 0, state: "{}" },
            ClientState { client: 300, clock: 7, state: LEFT },
        ];
        let bytes = write(&states);
        assert_eq!(bytes, b"\x02\x01\x00\x02{}\xac\x02\x07\x04null");
        assert_eq!(read(&bytes, &LIMITS).unwrap(), states);
        assert_eq!(write(&[]), [0]);
    }

    #[test]
    fn refuses_all_else() {
        for (bytes, kind, at) in [
            (&b""[..], ErrorKind::Ends, 0),
            (b"\x01\x02\x03", ErrorKind::Ends, 3),
            (b"\x01\x01\x00\x01{", ErrorKind::Json, 3),
            (b"\x01\x01\x00\x06[[[]]]", ErrorKind::Json, 3),
            (b"\x00\x00", ErrorKind::Trailing, 1),
            (b"\x03aaaaaaaaa", ErrorKind::TooMany, 0),
            (b"\xff\x01a", ErrorKind::Count, 0),
            (&[0; 101], ErrorKind::TooLarge, 0),
        ] {
            assert_eq!(read(bytes, &LIMITS), Err(Error::new(kind, at)), "{bytes:?}");
        }
    }
}
