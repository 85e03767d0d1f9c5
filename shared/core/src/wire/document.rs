//! Messages of y-websocket that the server sends: each is one binary frame (`y-websocket` 3,
//! `sync.js` and `auth.js` of `y-protocols` 1).

use crate::awareness::{self, put_buffer, put_uint};
use crate::presence::Member;

const STEP_1: [u8; 2] = [0, 0];
const STEP_2: [u8; 2] = [0, 1];
const UPDATE: [u8; 2] = [0, 2];
const AWARENESS: [u8; 1] = [1];
const DENIED: [u8; 2] = [2, 0];
const SAVED: [u8; 1] = [102];

fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(kind.len() + body.len() + 5);
    out.extend(kind);
    put_buffer(&mut out, body);
    out
}

/// Asks for what this state vector lacks.
pub(crate) fn step_1(vector: &[u8]) -> Vec<u8> {
    message(&STEP_1, vector)
}

/// The answer to a state vector.
pub(crate) fn step_2(update: &[u8]) -> Vec<u8> {
    message(&STEP_2, update)
}

/// The server did not carry out a message of the client. Stock clients log the reason and continue.
pub(crate) fn denied(reason: &str) -> Vec<u8> {
    message(&DENIED, reason.as_bytes())
}

/// All that came before the client's counter is durable.
pub(crate) fn saved(counter: &[u8]) -> Vec<u8> {
    message(&SAVED, counter)
}

/// The awareness of these members, if there is any. A member that has left without a last clock is
/// not in it.
pub fn awareness_message(members: &[Member]) -> Option<Vec<u8>> {
    let update = awareness::update(members, awareness::DEFAULT);
    (!update.is_empty()).then(|| message(&AWARENESS, &update))
}

/// The awareness of nobody: a sign of life for clients that reconnect after 30 s of silence.
pub(crate) fn nobody() -> Vec<u8> {
    let mut update = Vec::new();
    put_uint(&mut update, 0);
    message(&AWARENESS, &update)
}

/// The updates of a stored event, each of which has its length before it already.
pub fn update_messages(mut event: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some(length) = frame_length(event)
        && let Some((frame, rest)) = event.split_at_checked(length)
    {
        messages.push([&UPDATE, frame].concat());
        event = rest;
    }
    messages
}

/// Bytes of the first frame, with the length before it. `None` at the end, and for bytes that were
/// never stored.
fn frame_length(event: &[u8]) -> Option<usize> {
    let mut length = 0usize;
    for (index, byte) in event.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return length.checked_add(index + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awareness::{ClientState, DEFAULT};

    #[test]
    fn the_bytes_are_those_of_y_websocket() {
        assert_eq!(step_1(&[0]), [0, 0, 1, 0]);
        assert_eq!(step_2(&[0, 0]), [0, 1, 2, 0, 0]);
        assert_eq!(denied("no"), [2, 0, 2, b'n', b'o']);
        assert_eq!(saved(&[7]), [102, 1, 7]);
        assert_eq!(nobody(), [1, 1, 0]);
        let member = ClientState { client: 1, clock: 0, state: "{}".into() }.member(DEFAULT);
        let member = member.unwrap();
        assert_eq!(awareness_message(&[member.gone()]), None);
        assert_eq!(awareness_message(&[member]).unwrap(), b"\x01\x06\x01\x01\x00\x02{}");
    }

    #[test]
    fn each_update_of_an_event_is_a_message() {
        let long = [&[200, 1][..], &[7; 200]].concat();
        let event = [&[2, 8, 9][..], &[0], &long].concat();
        let messages = update_messages(&event);
        assert_eq!(
            messages,
            [[&[0, 2, 2, 8, 9][..], &[]].concat(), vec![0, 2, 0], [&[0, 2][..], &long].concat()]
        );
        for end in 0..event.len() {
            assert!(messages.starts_with(&update_messages(&event[..end])), "{end}");
        }
        assert!(update_messages(&[0xff; 9]).is_empty());
    }
}
