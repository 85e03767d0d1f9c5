//! The effects of a message of a y-websocket client: on the document, on the connection, and the
//! answer.

use super::client_frame::Connection;
use crate::access::{Grant, Right};
use crate::awareness::own;
use crate::channel::Channel;
use crate::close_code::CloseCode;
use crate::decide::decide_update;
use crate::document::{DocumentMessage, Documents};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::Policy;
use crate::presence::Member;
use crate::wire::document::{awareness_message, denied, nobody, saved, step_1, step_2};

/// The document, as the messages of one connection reach it. Nothing else may happen to it between
/// two calls.
pub trait DocumentConnection: Connection {
    /// The event as [`Summary::news`](crate::Summary::news) of the document says. Without a summary
    /// it is the event itself.
    ///
    /// # Errors
    ///
    /// The errors of the store.
    fn news(&mut self, channel: &Channel, event: Vec<u8>) -> Result<Vec<u8>>;

    /// The update that a client with this state vector lacks.
    ///
    /// # Errors
    ///
    /// The errors of the store and of [`Documents::lacks`].
    fn lacks(&mut self, vector: &[u8]) -> Result<Vec<u8>>;

    /// The member that the connection is, if it is one.
    fn held(&mut self) -> Option<Member>;

    /// The members of the channel.
    ///
    /// # Errors
    ///
    /// The errors of the store.
    fn members(&mut self) -> Result<Vec<Member>>;
}

/// The effects of a message, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageOutcome {
    /// Messages for the client.
    pub messages: Vec<Vec<u8>>,
    /// Whether an edit was refused, to be counted.
    pub is_refusal: bool,
    /// Close code, to be sent as its [document number](CloseCode::document_number), and reason with
    /// which the connection ends. The adapter ignores later messages of the client: an edit after
    /// a refused edit would depend on it.
    pub end: Option<(CloseCode, &'static str)>,
}

impl MessageOutcome {
    fn answer(message: Vec<u8>) -> MessageOutcome {
        MessageOutcome { messages: vec![message], ..MessageOutcome::default() }
    }

    /// The client gets the reason, and the connection ends.
    ///
    /// Also for what a retry may cure: stock clients send an edit once, and all that the server
    /// lacks when they reconnect.
    pub fn refused(error: &Error) -> MessageOutcome {
        MessageOutcome {
            messages: vec![denied(&error.to_string())],
            is_refusal: true,
            end: Some((code(error), error.close_reason())),
        }
    }
}

/// With the codes of HTTP in mind: what is too large must not be sent again.
fn code(error: &Error) -> CloseCode {
    match error.kind() {
        ErrorKind::EventTooLarge | ErrorKind::DocumentFull => CloseCode::FrameTooLarge,
        _ => error.close_code(),
    }
}

/// Whether the document asks a client for what it has: an edit of another client would be refused.
pub fn asks(grant: &Grant) -> bool {
    grant.rights.allow(Right::Publish)
}

/// Messages for a new client: the state vector of the document, if it [`asks`], and the states of
/// its clients.
pub fn document_opening(vector: Option<&[u8]>, present: &[Member]) -> Vec<Vec<u8>> {
    vector.map(step_1).into_iter().chain(awareness_message(present)).collect()
}

/// Carries out a message of at most `max_bytes` bytes (`MAX_BODY_BYTES`), with the rights of the
/// connection.
pub fn document_message(
    bytes: &[u8],
    grant: &Grant,
    max_bytes: u64,
    policy: &Policy,
    connection: &mut dyn DocumentConnection,
) -> MessageOutcome {
    let Some(documents) = policy.documents else { return MessageOutcome::default() };
    carried_out(bytes, grant, max_bytes, policy, &documents, connection)
        .unwrap_or_else(|error| MessageOutcome::refused(&error))
}

fn carried_out(
    bytes: &[u8],
    grant: &Grant,
    max_bytes: u64,
    policy: &Policy,
    documents: &Documents,
    connection: &mut dyn DocumentConnection,
) -> Result<MessageOutcome> {
    if bytes.len() as u64 > max_bytes {
        let why =
            format!("a message must have at most {max_bytes} bytes, this one has {}", bytes.len());
        return Err(Error::new(ErrorKind::BodyTooLarge, why));
    }
    connection.access()?;
    Ok(match (documents.message)(bytes)? {
        DocumentMessage::Asks(vector) => MessageOutcome::answer(step_2(&connection.lacks(vector)?)),
        DocumentMessage::Brings(event) => match grant.demand(Right::Publish) {
            Ok(()) => {
                publish(event, grant, policy, connection)?;
                MessageOutcome::default()
            }
            // A reader stays one.
            Err(error) => MessageOutcome {
                is_refusal: true,
                ..MessageOutcome::answer(denied(&error.to_string()))
            },
        },
        DocumentMessage::Awareness(states) => {
            if !grant.rights.allow(Right::Presence) {
                return Ok(MessageOutcome::answer(nobody()));
            }
            let held = connection.held();
            let said = own(&states, held.as_ref(), || connection.members());
            // Without a cursor the document can still be edited.
            said.and_then(|said| {
                said.map_or(Ok(()), |said| connection.announce(policy.presence()?, said))
            })
            .map_or_else(
                |error| MessageOutcome::answer(denied(&error.to_string())),
                |()| MessageOutcome::default(),
            )
        }
        DocumentMessage::AsksAwareness => {
            let present = connection.members()?;
            MessageOutcome::answer(awareness_message(&present).unwrap_or_else(nobody))
        }
        DocumentMessage::Saved(counter) => MessageOutcome::answer(saved(counter)),
        DocumentMessage::Nothing => MessageOutcome::default(),
    })
}

/// Stores what an event brings. The first makes the document.
fn publish(
    event: Vec<u8>,
    grant: &Grant,
    policy: &Policy,
    connection: &mut dyn DocumentConnection,
) -> Result<()> {
    let channel = connection.channel()?;
    let event = match &channel {
        Some(channel) => connection.news(channel, event)?,
        None => event,
    };
    let tallies = connection.known(policy.tallies(grant, None))?;
    let moment = connection.moment();
    match decide_update(event, grant, channel.as_ref(), &tallies, policy, moment)? {
        Some(commit) => connection.commit(commit),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Rights;
    use crate::awareness::{ClientState, DEFAULT};
    use crate::channel::Row;
    use crate::decide::{Commit, Moment};
    use crate::http::ContentType;
    use crate::policy::Creation;
    use crate::presence::Presence;
    use crate::publish::Tally;
    use crate::settings::Settings;

    /// A document in memory, which has the event `[1]` already, and what was done to it.
    #[derive(Default)]
    struct Room {
        channel: Option<Channel>,
        present: Vec<Member>,
        held: Option<Member>,
        is_denied: bool,
        is_broken: bool,
        done: Vec<String>,
    }

    impl Connection for Room {
        fn access(&mut self) -> Result<()> {
            let denied = || Error::new(ErrorKind::CredentialExpired, "expired");
            if self.is_denied { Err(denied()) } else { Ok(()) }
        }

        fn channel(&mut self) -> Result<Option<Channel>> {
            let broken = || Error::new(ErrorKind::Internal, "broken");
            if self.is_broken { Err(broken()) } else { Ok(self.channel.clone()) }
        }

        fn known(&mut self, tallies: Vec<Tally>) -> Result<Vec<Tally>> {
            Ok(tallies)
        }

        fn moment(&mut self) -> Moment {
            Moment { now_ms: 1_000, entropy: 0, last_epoch: 0 }
        }

        fn commit(&mut self, commit: Commit) -> Result<()> {
            let data = |row: &Row| row.event.data.clone();
            self.done
                .push(format!("stored {:?}", commit.rows.iter().map(data).collect::<Vec<_>>()));
            self.channel = Some(commit.channel);
            Ok(())
        }

        fn announce(&mut self, _: Presence, said: Member) -> Result<()> {
            self.done.push(format!("announced {}", said.id));
            Ok(())
        }
    }

    impl DocumentConnection for Room {
        fn news(&mut self, _: &Channel, event: Vec<u8>) -> Result<Vec<u8>> {
            Ok(if event == [1] { Vec::new() } else { event })
        }

        fn lacks(&mut self, vector: &[u8]) -> Result<Vec<u8>> {
            Ok(vector.to_vec())
        }

        fn held(&mut self) -> Option<Member> {
            self.held.clone()
        }

        fn members(&mut self) -> Result<Vec<Member>> {
            Ok(self.present.clone())
        }
    }

    /// The first byte says what the message is.
    fn message(bytes: &[u8]) -> Result<DocumentMessage<'_>> {
        let client = |state: &str| ClientState { client: 7, clock: 1, state: state.into() };
        Ok(match bytes {
            [b'?', rest @ ..] => DocumentMessage::Asks(rest),
            [b'+', rest @ ..] => DocumentMessage::Brings(rest.to_vec()),
            [b'@', rest @ ..] => {
                DocumentMessage::Awareness(vec![client(std::str::from_utf8(rest).unwrap())])
            }
            [b'*'] => DocumentMessage::AsksAwareness,
            [b'!', rest @ ..] => DocumentMessage::Saved(rest),
            [b'.'] => DocumentMessage::Nothing,
            _ => return Err(Error::new(ErrorKind::FrameInvalid, "not a message")),
        })
    }

    fn sent(bytes: &[u8], rights: Rights, room: &mut Room) -> MessageOutcome {
        let settings = Settings::default();
        let policy = Policy {
            presence: Some(Presence::from_settings(&settings)),
            max_event_bytes: 50,
            check: |event, _, _| match event {
                [0] => Err(Error::new(ErrorKind::EventRefused, "not an update")),
                event => Ok(event.into()),
            },
            documents: Some(Documents {
                awareness: |_| Ok(Vec::new()),
                bare: |event| Ok(event.to_vec()),
                message,
                summarize: |_, _| panic!("the room has a summary"),
                lacks: |_, _, _| panic!("the room knows it"),
                max_bytes: 90,
            }),
            ..Policy::new(Creation::OnPut, &settings)
        };
        let grant = Grant { rights, ..Grant::default() };
        document_message(bytes, &grant, 100, &policy, room)
    }

    const EDITOR: [Right; 3] = [Right::Read, Right::Publish, Right::Presence];

    fn editor() -> Rights {
        EDITOR.into_iter().fold(Rights::NONE, |rights, right| rights | right)
    }

    #[test]
    fn an_edit_that_brings_something_is_stored_and_the_first_makes_the_document() {
        let mut room = Room::default();
        for edit in [&b"+a"[..], b"+\x01", b"+b"] {
            assert_eq!(sent(edit, editor(), &mut room), MessageOutcome::default());
        }
        assert_eq!(room.done, ["stored [[97]]", "stored [[98]]"]);
        let channel = room.channel.unwrap();
        assert!(channel.exists() && channel.tail == 2);
        assert_eq!(channel.content_type, ContentType::octet_stream());
    }

    #[test]
    fn a_reader_gets_what_it_lacks_and_cannot_write() {
        let mut room = Room::default();
        let mut reads = |message: &[u8]| sent(message, Right::Read.into(), &mut room);
        assert_eq!(reads(b"?\x00").messages, [step_2(&[0])]);
        let denied = reads(b"+a");
        assert!(denied.is_refusal && denied.end.is_none());
        assert_eq!(denied.messages[0][..2], [2, 0]);
        // A sign of life in the place of its own state.
        assert_eq!(reads(b"@{}").messages, [nobody()]);
        assert_eq!([reads(b"*").messages, reads(b"!\x07").messages], [[nobody()], [saved(&[7])]]);
        assert_eq!(reads(b"."), MessageOutcome::default());
        assert!(room.done.is_empty());
        let grant = |rights| Grant { rights, ..Grant::default() };
        assert!(asks(&grant(editor())) && !asks(&grant(Right::Read.into())));
    }

    #[test]
    fn what_is_refused_ends_the_connection_with_a_code_that_says_whether_to_return() {
        let ends = |bytes: &[u8], room: &mut Room| {
            let refused = sent(bytes, editor(), room);
            assert_eq!((refused.messages.len(), refused.is_refusal), (1, true));
            let (code, reason) = refused.end.unwrap();
            (code.document_number(), reason)
        };
        let mut room = Room::default();
        assert_eq!(ends(b"", &mut room), (4400, "frame-invalid"));
        assert_eq!(ends(b"+\x00", &mut room), (4400, "event-refused"));
        assert_eq!(ends(&[b'+'; 101], &mut room), (4413, "body-too-large"));
        assert_eq!(ends(&[b'+'; 100], &mut room), (4413, "event-too-large"));
        sent(&[b'+'; 50], editor(), &mut room);
        assert_eq!(ends(&[b'+'; 50], &mut room), (4413, "document-full"));
        room.is_broken = true;
        assert_eq!(ends(b"+a", &mut room), (1013, "internal"));
        room.is_denied = true;
        assert_eq!(ends(b"?", &mut room), (4401, "credential-expired"));
    }

    #[test]
    fn awareness_is_announced_and_never_stored_and_no_fault_of_it_ends_the_connection() {
        let mut room = Room::default();
        assert_eq!(sent(b"@{}", editor(), &mut room), MessageOutcome::default());
        assert_eq!(room.done, ["announced 7"]);
        room.present =
            vec![ClientState { client: 8, clock: 1, state: "{}".into() }.member(DEFAULT).unwrap()];
        room.held = Some(room.present[0].clone());
        // It is client 8, and says something of client 7.
        assert_eq!(sent(b"@{}", editor(), &mut room), MessageOutcome::default());
        assert_eq!(room.done, ["announced 7"]);
        let present = awareness_message(&room.present).unwrap();
        assert_eq!(sent(b"*", editor(), &mut room).messages, std::slice::from_ref(&present));
        assert_eq!(document_opening(Some(&[0]), &room.present), [step_1(&[0]), present]);
        assert!(document_opening(None, &[]).is_empty());
    }
}
