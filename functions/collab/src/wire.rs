//! The wire of y-websocket: what a message holds, and what a document has.

use tidewire_core::{ClientState, DocumentMessage, Error, ErrorKind, Event, Result};
use tidewire_yjs::{Frames, Limits, Message, StateVector, Summary, Update, awareness, put_frame};

use crate::document::{DOCUMENT, all};

/// The size of a message of awareness, which may hold the states of others: stock clients send back
/// every state that they receive.
const STATES: Limits = Limits { bytes: 4 * 1024 * 1024, structs: 10_000, depth: 16 };

/// An event that brings nothing.
const NOTHING: &[u8] = &[2, 0, 0];

fn invalid(error: tidewire_yjs::Error) -> Error {
    let why =
        format!("the message is none of y-websocket: {error}. Send binary frames of its types");
    Error::new(ErrorKind::FrameInvalid, why)
}

/// Reads a message of a client.
pub(crate) fn message(bytes: &[u8]) -> Result<DocumentMessage<'_>> {
    Ok(match Message::read(bytes).map_err(invalid)? {
        Message::Step1(vector) => DocumentMessage::Asks(vector),
        Message::Step2(update) | Message::Update(update) => {
            let mut event = Vec::with_capacity(update.len() + 4);
            put_frame(&mut event, update);
            DocumentMessage::Brings(event)
        }
        Message::Awareness(states) => {
            let states = awareness::read(states, &STATES).map_err(invalid)?;
            let states = states.iter().map(|state| ClientState {
                client: state.client,
                clock: state.clock,
                state: state.state.into(),
            });
            DocumentMessage::Awareness(states.collect())
        }
        Message::QueryAwareness => DocumentMessage::AsksAwareness,
        Message::Saved(counter) => DocumentMessage::Saved(counter),
        Message::Denied(_) => DocumentMessage::Nothing,
    })
}

/// The units that a document has.
#[derive(Default)]
struct Known(Summary);

impl tidewire_core::Summary for Known {
    fn add(&mut self, event: &[u8]) {
        // It was read when it was stored.
        for (_, bytes) in Frames::of(event).flatten() {
            if let Ok(update) = Update::scan(bytes, &DOCUMENT) {
                self.0.add(&update);
            }
        }
    }

    fn news<'a>(&self, event: &'a [u8]) -> &'a [u8] {
        let is_known = Frames::of(event).all(|frame| {
            frame
                .and_then(|(_, bytes)| Update::scan(bytes, &DOCUMENT))
                .is_ok_and(|update| self.0.has(&update))
        });
        if is_known && !event.is_empty() { NOTHING } else { event }
    }

    fn state_vector(&self) -> Vec<u8> {
        self.0.state_vector().encode()
    }

    fn lacks(&self, vector: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.deletions(&StateVector::decode(vector, &DOCUMENT).map_err(invalid)?))
    }

    fn ranges(&self) -> usize {
        self.0.held().len() + self.0.deleted().len()
    }
}

/// Summarizes a document.
pub(crate) fn summarize(
    last: Option<&[u8]>,
    events: &[Event],
) -> Result<Box<dyn tidewire_core::Summary>> {
    let mut known = Known::default();
    let events = events.iter().map(|event| event.data.as_slice());
    for event in last.into_iter().chain(events) {
        tidewire_core::Summary::add(&mut known, event);
    }
    Ok(Box::new(known))
}

/// The update that a peer with this state vector lacks.
pub(crate) fn lacks(last: Option<&[u8]>, events: &[Event], vector: &[u8]) -> Result<Vec<u8>> {
    let vector = StateVector::decode(vector, &DOCUMENT).map_err(invalid)?;
    Ok(all(last, events)?.diff(&vector))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Client 1 writes "hi" into the root `t`, and then "!".
    const HI: &[u8] = &[1, 1, 1, 0, 4, 1, 1, b't', 2, b'h', b'i', 0];
    const MORE: &[u8] = &[1, 1, 1, 2, 0x84, 1, 1, 1, b'!', 0];

    fn framed(update: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_frame(&mut out, update);
        out
    }

    #[test]
    fn reads_what_clients_send() {
        let cases: [(&[u8], DocumentMessage<'_>); 5] = [
            (&[0, 0, 1, 0], DocumentMessage::Asks(&[0])),
            (&[0, 1, 2, 0, 0], DocumentMessage::Brings(vec![2, 0, 0])),
            (&[3], DocumentMessage::AsksAwareness),
            (&[102, 1, 7], DocumentMessage::Saved(&[7])),
            (&[2, 0, 0], DocumentMessage::Nothing),
        ];
        for (bytes, expected) in cases {
            assert_eq!(message(bytes).unwrap(), expected);
        }
        let state = ClientState { client: 1, clock: 0, state: "{}".into() };
        let read = message(b"\x01\x06\x01\x01\x00\x02{}").unwrap();
        assert_eq!(read, DocumentMessage::Awareness(vec![state]));
        for bad in [&[][..], &[0], &[9], &[0, 0, 9, 0], b"\x01\x06\x01\x01\x00\x02{]"] {
            assert_eq!(message(bad).unwrap_err().kind(), ErrorKind::FrameInvalid);
        }
    }

    #[test]
    fn an_event_is_news_until_the_document_has_all_of_it() {
        let events = [Event { seq: 2, data: framed(MORE) }];
        let mut known = summarize(None, &events).unwrap();
        assert_eq!(known.state_vector(), [0]);
        let both = [framed(HI), framed(MORE)].concat();
        assert_eq!(known.news(&both), both);
        assert_eq!(known.news(&framed(MORE)), NOTHING);
        known.add(&framed(HI));
        assert_eq!(known.news(&both), NOTHING);
        assert_eq!(known.state_vector(), [1, 1, 3]);
        assert_eq!(known.ranges(), 1);
        // What is refused stays what it is.
        assert_eq!(known.news(&[3, 9]), [3, 9]);
        assert_eq!(known.news(&[]), [0; 0]);
    }

    #[test]
    fn a_peer_gets_what_it_lacks_and_no_more() {
        let snapshot = framed(HI);
        let events = [Event { seq: 2, data: framed(MORE) }];
        let known = summarize(Some(&snapshot), &events).unwrap();
        assert_eq!(known.lacks(&[1, 1, 3]).unwrap().unwrap(), [0, 0]);
        assert_eq!(known.lacks(&[1, 1, 2]).unwrap(), None);
        assert_eq!(lacks(Some(&snapshot), &events, &[1, 1, 2]).unwrap(), MORE);
        for bad in [&[][..], &[1, 1], &[0, 0]] {
            assert_eq!(known.lacks(bad).unwrap_err().kind(), ErrorKind::FrameInvalid);
        }
    }
}
