//! The bytes of Yjs: what is stored of a document, and what is not.
//!
//! An event is one or more updates, each behind its length: the body of one `POST`, or one message
//! of a socket. No document is ever built of them; `tidewire-yjs` reads them as they are.

use std::borrow::Cow;

use tidewire_core::{
    ClientState, Error, ErrorKind, Event, MAX_CLIENT_STATE_BYTES, MAX_CLIENT_STATES, Result,
};
use tidewire_yjs::{Frames, Limits, Update, Updates, awareness as states, put_frame};

/// Most bytes of a document: of its snapshot and the updates after it.
pub(crate) const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// The size of one update.
const UPDATE: Limits = Limits { bytes: MAX_BYTES as usize, structs: 20_000, depth: 64 };
/// The size of all updates that are folded at once. A struct takes about 130 bytes, so this is a
/// third of an object's 128 MB.
pub(crate) const DOCUMENT: Limits = Limits { bytes: 2 * UPDATE.bytes, structs: 300_000, ..UPDATE };
/// The size of one message of awareness.
const AWARENESS: Limits = Limits {
    bytes: MAX_CLIENT_STATES * (MAX_CLIENT_STATE_BYTES + 32),
    structs: MAX_CLIENT_STATES,
    depth: 16,
};

/// Refuses an update that Yjs cannot read: in the log it would make the whole document unreadable.
/// An event that brings nothing is not stored.
pub(crate) fn check(event: &[u8]) -> Result<Cow<'_, [u8]>> {
    let mut brings = false;
    for frame in Frames::of(event) {
        let (at, bytes) = frame.map_err(|error| refused(0, error))?;
        let update = Update::scan(bytes, &UPDATE).map_err(|error| refused(at, error))?;
        brings |= !update.is_empty();
    }
    Ok(if brings { event.into() } else { Cow::Borrowed(&[]) })
}

fn refused(at: usize, mut error: tidewire_yjs::Error) -> Error {
    error.at += at;
    let why = format!(
        "the event is not a list of Yjs updates, each behind its length: {error}. Send updates of format 1"
    );
    Error::new(ErrorKind::EventRefused, why)
}

/// A snapshot: the data of one event, which stands for the last snapshot and the events after it.
/// Deleted contents are left out, as when Yjs collects garbage.
pub(crate) fn compact(last: Option<&[u8]>, events: &[Event]) -> Result<Vec<u8>> {
    let mut updates = all(last, events)?;
    let update = updates.compact();
    let mut snapshot = Vec::with_capacity(update.len() + 4);
    put_frame(&mut snapshot, &update);
    Ok(snapshot)
}

/// The updates of a snapshot and of the events after it.
pub(crate) fn all<'a>(last: Option<&'a [u8]>, events: &'a [Event]) -> Result<Updates<'a>> {
    // Each was read when it was stored.
    let unreadable = |error| {
        Error::new(ErrorKind::DocumentFull, format!("the document cannot be made one: {error}"))
    };
    let mut updates = Updates::new(DOCUMENT);
    for event in last.into_iter().chain(events.iter().map(|event| event.data.as_slice())) {
        for frame in Frames::of(event) {
            let (_, bytes) = frame.map_err(unreadable)?;
            updates
                .add(&Update::scan(bytes, &DOCUMENT).map_err(unreadable)?)
                .map_err(unreadable)?;
        }
    }
    Ok(updates)
}

/// The update in the one frame of a snapshot.
pub(crate) fn bare(snapshot: &[u8]) -> Result<Vec<u8>> {
    match Frames::of(snapshot).next() {
        Some(Ok((_, update))) => Ok(update.to_vec()),
        _ => Err(Error::new(ErrorKind::Internal, "a snapshot has no frame")),
    }
}

/// The states of clients in a body, as far as it is well formed.
pub(crate) fn awareness(body: &[u8]) -> Result<Vec<ClientState>> {
    let mut clients = Vec::new();
    for (_, update) in Frames::of(body).map_while(|frame| frame.ok()).take(MAX_CLIENT_STATES) {
        for state in states::read(update, &AWARENESS).unwrap_or_default() {
            if state.state.len() > MAX_CLIENT_STATE_BYTES {
                let why = format!(
                    "the awareness of a client must have at most {MAX_CLIENT_STATE_BYTES} bytes, this one has {}",
                    state.state.len()
                );
                return Err(Error::new(ErrorKind::EventTooLarge, why));
            }
            clients.push(ClientState {
                client: state.client,
                clock: state.clock,
                state: state.state.into(),
            });
        }
    }
    clients.truncate(MAX_CLIENT_STATES);
    Ok(clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Client 1 writes "hi" into the root `t`.
    const HI: &[u8] = &[1, 1, 1, 0, 4, 1, 1, b't', 2, b'h', b'i', 0];
    const NOTHING: &[u8] = &[0, 0];

    fn framed(updates: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        updates.iter().for_each(|update| put_frame(&mut out, update));
        out
    }

    #[test]
    fn stores_updates_as_they_came_and_nothing_of_those_that_bring_nothing() {
        for event in [framed(&[HI]), framed(&[NOTHING, HI, HI])] {
            assert_eq!(check(&event).unwrap(), event);
        }
        for event in [framed(&[NOTHING]), framed(&[NOTHING, NOTHING])] {
            assert!(check(&event).unwrap().is_empty());
        }
    }

    #[test]
    fn refuses_what_would_make_a_document_unreadable() {
        let cut = framed(&[&HI[..HI.len() - 1]]);
        let mut long = framed(&[HI]);
        long.push(9);
        for (event, at) in [(HI.to_vec(), "byte 1:"), (cut, "byte 12"), (long, "byte 13")] {
            let error = check(&event).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::EventRefused);
            assert!(error.detail().contains(at), "{}", error.detail());
        }
    }

    #[test]
    fn a_document_is_all_its_updates_as_one() {
        let more: &[u8] = &[1, 1, 1, 2, 0x84, 1, 1, 1, b'!', 0];
        let event = |seq, updates: &[&[u8]]| Event { seq, data: framed(updates) };
        let first = compact(None, &[event(1, &[HI, NOTHING])]).unwrap();
        let second = compact(Some(&first), &[event(2, &[more])]).unwrap();
        let whole = [1, 1, 1, 0, 4, 1, 1, b't', 3, b'h', b'i', b'!', 0];
        assert_eq!(second, framed(&[&whole]));
        assert_eq!(bare(&second).unwrap(), whole);
        assert_eq!(bare(&compact(None, &[]).unwrap()).unwrap(), NOTHING);
    }

    #[test]
    fn reads_the_clients_that_are_well_formed() {
        let state = |client| states::ClientState { client, clock: 1, state: "{}" };
        let body =
            framed(&[&states::write(&[state(1), state(2)]), b"\x09", &states::write(&[state(3)])]);
        let read = |body: &[u8]| {
            awareness(body)
                .map(|clients| clients.iter().map(|found| found.client).collect::<Vec<_>>())
        };
        assert_eq!(read(&body).unwrap(), [1, 2, 3]);
        assert_eq!(read(b"\x01\x02\x03").unwrap(), Vec::<u64>::new());
        let many: Vec<_> = (0..30).map(|client| states::write(&[state(client)])).collect();
        let many: Vec<_> = many.iter().map(Vec::as_slice).collect();
        assert_eq!(read(&framed(&many)).unwrap().len(), MAX_CLIENT_STATES);
        let long = format!("\"{}\"", "a".repeat(MAX_CLIENT_STATE_BYTES));
        let long = states::ClientState { client: 1, clock: 1, state: &long };
        let error = awareness(&framed(&[&states::write(&[long])])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::EventTooLarge);
    }
}
