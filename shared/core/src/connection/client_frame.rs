//! The effects of a frame of a WebSocket client: on the channel, on the connection, and the answer.

use serde_json::value::RawValue;

use crate::access::{Grant, Right};
use crate::channel::{Channel, Offset};
use crate::close_code::CloseCode;
use crate::decide::{Commit, Moment, decide_publish};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::Policy;
use crate::presence::{Member, Presence};
use crate::publish::{Producer, Tally};
use crate::wire::{ClientFrame, Framing, ack_frame, error_frame};

/// The channel, as the frames of one connection reach it. Nothing else may happen to the channel
/// between two calls.
pub trait Connection {
    /// Checks that the client still has access: its credential may have expired, or its access may
    /// be revoked.
    ///
    /// # Errors
    ///
    /// As [`Grant::check_access`].
    fn access(&mut self) -> Result<()>;

    /// The channel, whose sliding TTL starts again; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// The errors of the store.
    fn channel(&mut self) -> Result<Option<Channel>>;

    /// The tallies, each with the state that the channel has of it.
    ///
    /// # Errors
    ///
    /// The errors of the store.
    fn known(&mut self, tallies: Vec<Tally>) -> Result<Vec<Tally>>;

    /// The time. Read after [`channel`](Connection::channel), which may find that the channel has
    /// expired.
    fn moment(&mut self) -> Moment;

    /// Stores, then sends to every reader, this one included.
    ///
    /// # Errors
    ///
    /// The errors of the store; nothing was written then.
    fn commit(&mut self, commit: Commit) -> Result<()>;

    /// Applies the client's presence, which lasts as long as its connection, and notifies the
    /// readers.
    ///
    /// # Errors
    ///
    /// As [`Presence::update`], and the errors of the store.
    fn announce(&mut self, presence: Presence, said: Member) -> Result<()>;
}

/// The effects of a frame, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameOutcome {
    /// The client has received everything up to here.
    pub acknowledged: Option<Offset>,
    /// Frames for the client.
    pub frames: Vec<String>,
    /// Whether a publish was refused, to be counted.
    pub is_refusal: bool,
    /// Close code and reason with which the connection ends. Later frames of the client are not
    /// carried out: the server could not acknowledge them.
    pub end: Option<(CloseCode, &'static str)>,
}

impl FrameOutcome {
    /// A binary frame: ours are text.
    pub fn binary() -> FrameOutcome {
        let error = Error::new(ErrorKind::FrameInvalid, "frames must be text");
        FrameOutcome {
            frames: vec![error_frame(None, &error)],
            end: Some((CloseCode::BinaryFrame, error.close_reason())),
            ..FrameOutcome::default()
        }
    }

    /// Client and server disagree about the protocol: continuing would only hide it.
    fn disagreement(error: &Error) -> FrameOutcome {
        FrameOutcome {
            frames: vec![error_frame(None, error)],
            end: Some((error.close_code(), error.close_reason())),
            ..FrameOutcome::default()
        }
    }

    fn answer(frame: String) -> FrameOutcome {
        FrameOutcome { frames: vec![frame], ..FrameOutcome::default() }
    }
}

/// Carries out a text frame of at most `max_bytes` bytes (`MAX_BODY_BYTES`), with the rights of the
/// connection.
///
/// A client that has lost its access still gets an answer, then its connection ends: the frame may
/// have come before the alarm or after a revocation.
pub fn client_frame(
    text: &str,
    grant: &Grant,
    max_bytes: u64,
    policy: &Policy,
    connection: &mut dyn Connection,
) -> FrameOutcome {
    if text.len() as u64 > max_bytes {
        let why =
            format!("a frame must have at most {max_bytes} bytes, this one has {}", text.len());
        return FrameOutcome::disagreement(&Error::new(ErrorKind::BodyTooLarge, why));
    }
    let frame = match ClientFrame::parse(text) {
        Ok(frame) => frame,
        Err(error) => return FrameOutcome::disagreement(&error),
    };
    let access = connection.access();
    let mut outcome = match frame {
        ClientFrame::Ack { offset } => {
            FrameOutcome { acknowledged: Some(offset), ..FrameOutcome::default() }
        }
        ClientFrame::Publish { id, data, producer } => {
            let published = access
                .clone()
                .and_then(|()| publish(&data, producer.as_ref(), grant, policy, connection));
            match published {
                Ok(offset) => FrameOutcome::answer(ack_frame(&id, offset)),
                Err(error) => FrameOutcome {
                    is_refusal: true,
                    ..FrameOutcome::answer(error_frame(Some(&id), &error))
                },
            }
        }
        ClientFrame::Presence { id, state } => {
            let said = access
                .clone()
                .and_then(|()| grant.demand(Right::Presence))
                .and_then(|()| Member::new(id, &state, grant, policy.max_json_depth));
            // Every reader gets the change of presence, so a success has no separate answer.
            said.and_then(|said| connection.announce(policy.presence()?, said)).map_or_else(
                |error| FrameOutcome::answer(error_frame(None, &error)),
                |()| FrameOutcome::default(),
            )
        }
    };
    if let Err(error) = access {
        let (code, reason) = (error.close_code(), error.close_reason());
        outcome.frames.extend(Framing::TidewireV1.close(code, reason));
        outcome.end = Some((code, reason));
    }
    outcome
}

/// Stores an event and returns the channel's tail, which is also the answer to a repeated publish.
fn publish(
    data: &RawValue,
    producer: Option<&Producer>,
    grant: &Grant,
    policy: &Policy,
    connection: &mut dyn Connection,
) -> Result<Offset> {
    grant.demand(Right::Publish)?;
    let channel = connection.channel()?;
    let tallies = connection.known(policy.tallies(grant, producer))?;
    match decide_publish(
        data,
        grant,
        producer,
        channel.as_ref(),
        &tallies,
        policy,
        connection.moment(),
    )? {
        Some(commit) => {
            let tail = commit.channel.tail_offset();
            connection.commit(commit).map(|()| tail)
        }
        None => Ok(channel.map_or(Offset::ABSENT, |channel| channel.tail_offset())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Rights;
    use crate::http::ContentType;
    use crate::policy::Creation;
    use crate::settings::Settings;

    /// A connection to a channel in memory, and what was done to it.
    #[derive(Default)]
    struct Room {
        channel: Option<Channel>,
        is_denied: bool,
        done: Vec<String>,
    }

    impl Connection for Room {
        fn access(&mut self) -> Result<()> {
            if self.is_denied {
                Err(Error::new(ErrorKind::AccessDenied, "revoked"))
            } else {
                Ok(())
            }
        }

        fn channel(&mut self) -> Result<Option<Channel>> {
            Ok(self.channel.clone())
        }

        fn known(&mut self, tallies: Vec<Tally>) -> Result<Vec<Tally>> {
            Ok(tallies)
        }

        fn moment(&mut self) -> Moment {
            Moment { now_ms: 1_000, entropy: 0, last_epoch: 0 }
        }

        fn commit(&mut self, commit: Commit) -> Result<()> {
            self.done.push(format!("commit {}", commit.rows.len()));
            self.channel = Some(commit.channel);
            Ok(())
        }

        fn announce(&mut self, _: Presence, said: Member) -> Result<()> {
            self.done.push(format!("announce {}", said.id));
            Ok(())
        }
    }

    const PUBLISH: &str = r#"{"type":"publish","id":"7","data":1}"#;

    fn policy() -> Policy {
        let settings = Settings::default();
        Policy {
            presence: Some(Presence::from_settings(&settings)),
            ..Policy::new(Creation::OnPublish(ContentType::json()), &settings)
        }
    }

    fn sent(text: &str, rights: Rights, room: &mut Room) -> FrameOutcome {
        client_frame(
            text,
            &Grant { rights, until_ms: Some(9), ..Grant::default() },
            200,
            &policy(),
            room,
        )
    }

    /// The kinds of the answers, with the code of an error.
    fn kinds(outcome: &FrameOutcome) -> Vec<String> {
        let kind = |frame: &String| {
            let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
            [&frame["type"], &frame["code"]]
                .iter()
                .filter_map(|part| part.as_str())
                .collect::<Vec<_>>()
                .join(" ")
        };
        outcome.frames.iter().map(kind).collect()
    }

    #[test]
    fn a_publish_is_stored_then_acknowledged_with_its_offset() {
        let mut room = Room::default();
        let outcome = sent(PUBLISH, Rights::ALL, &mut room);
        assert_eq!(
            outcome.frames,
            [r#"{"type":"ack","id":"7","offset":"0000000003e8_00000000000001"}"#]
        );
        assert_eq!(
            (outcome.end, outcome.is_refusal, room.done),
            (None, false, vec!["commit 1".to_owned()])
        );
    }

    #[test]
    fn a_publish_without_the_right_is_refused_and_the_connection_stays() {
        let mut room = Room::default();
        let outcome = sent(PUBLISH, Right::Read.into(), &mut room);
        assert_eq!(
            (kinds(&outcome), outcome.end, outcome.is_refusal),
            (vec!["error access-denied".to_owned()], None, true)
        );
        assert!(room.done.is_empty());
    }

    #[test]
    fn who_has_no_access_any_more_is_answered_then_told_then_ended() {
        let mut room = Room { is_denied: true, ..Room::default() };
        let outcome = sent(PUBLISH, Rights::ALL, &mut room);
        assert_eq!(kinds(&outcome), ["error access-denied", "close"]);
        assert_eq!(outcome.end, Some((CloseCode::AccessDenied, "access-denied")));
        let outcome = sent(r#"{"type":"presence","id":"a","state":{}}"#, Rights::ALL, &mut room);
        assert_eq!(
            (kinds(&outcome), outcome.is_refusal),
            (vec!["error access-denied".to_owned(), "close".to_owned()], false)
        );
        let outcome = sent(
            r#"{"type":"ack","offset":"0000000003e8_00000000000001"}"#,
            Rights::ALL,
            &mut room,
        );
        assert_eq!(
            (kinds(&outcome), outcome.acknowledged.is_some()),
            (vec!["close".to_owned()], true)
        );
        assert!(room.done.is_empty());
    }

    #[test]
    fn a_frame_that_is_none_or_too_large_ends_the_connection() {
        let mut room = Room::default();
        let large = format!(r#"{{"type":"publish","id":"7","data":"{}"}}"#, "x".repeat(200));
        let outcome = sent(&large, Rights::ALL, &mut room);
        assert_eq!(
            (kinds(&outcome), outcome.end),
            (
                vec!["error body-too-large".to_owned()],
                Some((CloseCode::FrameTooLarge, "body-too-large"))
            )
        );
        let outcome = sent("{}", Rights::ALL, &mut room);
        assert_eq!(
            (kinds(&outcome), outcome.end),
            (vec!["error frame-invalid".to_owned()], Some((CloseCode::Refused, "frame-invalid")))
        );
        let outcome = FrameOutcome::binary();
        assert_eq!(
            (kinds(&outcome), outcome.end),
            (
                vec!["error frame-invalid".to_owned()],
                Some((CloseCode::BinaryFrame, "frame-invalid"))
            )
        );
        assert!(room.done.is_empty());
    }

    #[test]
    fn a_member_is_announced_without_an_answer_where_it_has_the_right() {
        let mut room = Room::default();
        let said = r#"{"type":"presence","id":"a","state":{}}"#;
        assert_eq!(sent(said, Rights::ALL, &mut room), FrameOutcome::default());
        assert_eq!(kinds(&sent(said, Rights::NONE, &mut room)), ["error access-denied"]);
        assert_eq!(
            kinds(&sent(r#"{"type":"presence","id":"a","state":[]}"#, Rights::ALL, &mut room)),
            ["error presence-invalid"]
        );
        assert_eq!(room.done, ["announce a"]);
    }

    #[test]
    fn what_the_client_acknowledges_reaches_the_connection() {
        let outcome = sent(
            r#"{"type":"ack","offset":"0000000003e8_00000000000001"}"#,
            Rights::NONE,
            &mut Room::default(),
        );
        assert_eq!(
            outcome,
            FrameOutcome {
                acknowledged: Some(Offset { epoch: 1_000, seq: 1 }),
                ..FrameOutcome::default()
            }
        );
    }
}
