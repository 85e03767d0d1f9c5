//! One message of the y-websocket wire: one binary WebSocket frame.
//!
//! Types and bodies as in `y-websocket` 3, `sync.js` and `auth.js` of `y-protocols` 1; `Saved` as in
//! y-sweet (`doc_connection.rs`).

use crate::error::{ErrorKind, Result};
use crate::reader::Reader;
use crate::writer::{put_buffer, put_uint};

/// A message, without its framing. Bodies are not scanned: see
/// [`StateVector::decode`](crate::StateVector::decode), [`Update::scan`](crate::Update::scan) and
/// [`awareness::read`](crate::awareness::read).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Sync step 1: the sender's state vector, which asks for all other units. Both sides send
    /// their vector when they connect.
    Step1(&'a [u8]),
    /// Sync step 2: the answer, an update. The stock provider is `synced` with the first of them.
    Step2(&'a [u8]),
    /// A change, as an update.
    Update(&'a [u8]),
    /// States of clients: an awareness update.
    Awareness(&'a [u8]),
    /// The server refuses a message of the client, and says why. The stock provider warns on the
    /// console and sends more.
    Denied(&'a str),
    /// Asks for the states of all clients; the stock provider answers it.
    QueryAwareness,
    /// The client's counter: the server sends it back when all earlier messages are durable. The
    /// stock provider neither sends nor knows it.
    Saved(&'a [u8]),
}

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;
const SAVED: u64 = 102;

const DENIED: u64 = 0;

impl<'a> Message<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// When the type is unknown, or the frame is longer or shorter than its message.
    pub fn read(frame: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(frame);
        let message = match reader.uint()? {
            SYNC => {
                let start = reader;
                let step = reader.uint()?;
                let make = match step {
                    0 => Self::Step1,
                    1 => Self::Step2,
                    2 => Self::Update,
                    _ => return Err(start.error(ErrorKind::UnknownMessage(step))),
                };
                make(reader.buffer()?)
            }
            AWARENESS => Self::Awareness(reader.buffer()?),
            AUTH => {
                let start = reader;
                match reader.uint()? {
                    DENIED => Self::Denied(reader.text()?),
                    other => return Err(start.error(ErrorKind::UnknownMessage(other))),
                }
            }
            QUERY_AWARENESS => Self::QueryAwareness,
            SAVED => Self::Saved(reader.buffer()?),
            other => return Err(Reader::new(frame).error(ErrorKind::UnknownMessage(other))),
        };
        reader.end()?;
        Ok(message)
    }

    /// The frame of this message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let (types, body): (&[u64], &[u8]) = match self {
            Self::Step1(vector) => (&[SYNC, 0], vector),
            Self::Step2(update) => (&[SYNC, 1], update),
            Self::Update(update) => (&[SYNC, 2], update),
            Self::Awareness(states) => (&[AWARENESS], states),
            Self::Denied(reason) => (&[AUTH, DENIED], reason.as_bytes()),
            Self::QueryAwareness => return vec![3],
            Self::Saved(counter) => (&[SAVED], counter),
        };
        let mut out = Vec::with_capacity(body.len() + 10);
        for &number in types {
            put_uint(&mut out, number);
        }
        put_buffer(&mut out, body);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn the_bytes_are_those_of_y_websocket() {
        for (message, bytes) in [
            (Message::Step1(&[0]), &[0, 0, 1, 0][..]),
            (Message::Step2(&[0, 0]), &[0, 1, 2, 0, 0]),
            (Message::Update(&[0, 0]), &[0, 2, 2, 0, 0]),
            (Message::Awareness(&[1, 1, 0, 2, b'{', b'}']), &[1, 6, 1, 1, 0, 2, b'{', b'}']),
            // It holds the watchdog of a client without a state of its own.
            (Message::Awareness(&[0]), &[1, 1, 0]),
            (Message::Denied("no"), &[2, 0, 2, b'n', b'o']),
            (Message::QueryAwareness, &[3]),
            (Message::Saved(&[7]), &[102, 1, 7]),
        ] {
            assert_eq!(message.write(), bytes);
            assert_eq!(Message::read(bytes), Ok(message));
        }
    }

    #[test]
    fn refuses_what_is_no_message() {
        for (bytes, kind, at) in [
            (&[][..], ErrorKind::Ends, 0),
            (&[0], ErrorKind::Ends, 1),
            (&[0, 3, 0], ErrorKind::UnknownMessage(3), 1),
            (&[0, 0, 2, 0], ErrorKind::Count, 2),
            (&[0, 0, 1, 0, 9], ErrorKind::Trailing, 4),
            (&[2, 1, 0], ErrorKind::UnknownMessage(1), 1),
            (&[2, 0, 1, 0xff], ErrorKind::Utf8, 3),
            (&[4], ErrorKind::UnknownMessage(4), 0),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], ErrorKind::Number, 0),
        ] {
            assert_eq!(Message::read(bytes), Err(Error::new(kind, at)), "{bytes:?}");
        }
    }
}
