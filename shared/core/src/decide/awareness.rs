//! Decides a request for the awareness of a document.

use http::StatusCode;

use super::existing::existing;
use crate::awareness::{DEFAULT, frame, is_of, prefix};
use crate::channel::{Channel, Offset};
use crate::error::{Error, ErrorKind, Result};
use crate::http::headers::{self, reply, set};
use crate::http::{ContentType, Reply};
use crate::policy::Policy;
use crate::presence::Member;
use crate::request::{Awareness, AwarenessAction};

/// The new states of members in the request, which the adapter must apply one after another with
/// [`Presence::update`](crate::Presence::update), and the answer after that. `present` are the
/// members of the channel.
///
/// # Errors
///
/// [`ErrorKind::ChannelNotFound`] without the document, [`ErrorKind::AwarenessNotFound`] without a
/// named stream, [`ErrorKind::EventTooLarge`] for a state, [`ErrorKind::RouteNotFound`] if the
/// function has no documents.
pub fn decide_awareness(
    asked: &Awareness,
    body: &[u8],
    channel: Option<&Channel>,
    present: &[Member],
    policy: &Policy,
) -> Result<(Vec<Member>, Reply)> {
    let documents = policy.documents.ok_or_else(|| {
        Error::new(ErrorKind::RouteNotFound, "channels of this function have no awareness")
    })?;
    existing(channel, policy)?;
    let stream = asked.stream.as_str();
    let is_there = stream == DEFAULT || present.iter().any(|member| is_of(member, stream));
    let missing = || {
        let why = format!("there is no awareness stream {stream:?}: create it with PUT");
        Error::new(ErrorKind::AwarenessNotFound, why)
    };
    let marker = || Member { id: prefix(stream), state: Some("{}".into()) };
    Ok(match asked.action {
        AwarenessAction::Look | AwarenessAction::Read if !is_there => return Err(missing()),
        AwarenessAction::Look => (Vec::new(), answer(StatusCode::OK, Vec::new())),
        AwarenessAction::Read => (Vec::new(), answer(StatusCode::OK, frame(present, stream))),
        AwarenessAction::Create if is_there => (Vec::new(), answer(StatusCode::OK, Vec::new())),
        AwarenessAction::Create => (vec![marker()], answer(StatusCode::CREATED, Vec::new())),
        AwarenessAction::Say => {
            let mut said: Vec<_> = (documents.awareness)(body)?
                .iter()
                .filter(|client| client.is_news(present, stream))
                .filter_map(|client| client.member(stream))
                .collect();
            if said.is_empty() && !is_there {
                said.push(marker());
            }
            let mut reply = answer(StatusCode::NO_CONTENT, Vec::new());
            headers::remove_content_type(&mut reply);
            (said, reply)
        }
        AwarenessAction::Forget if !is_there => return Err(missing()),
        AwarenessAction::Forget => {
            let said = present.iter().filter(|member| is_of(member, stream)).map(Member::gone);
            (said.collect(), answer(StatusCode::NO_CONTENT, Vec::new()))
        }
    })
}

fn answer(status: StatusCode, body: Vec<u8>) -> Reply {
    let mut reply = reply(status, body);
    headers::set_content_type(&mut reply, &ContentType::octet_stream());
    // It has no positions: a reader always begins with the states of now.
    Offset::ABSENT.set(&mut reply);
    set(&mut reply, headers::UP_TO_DATE, "true");
    set(&mut reply, http::header::CACHE_CONTROL, "no-store");
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awareness::ClientState;
    use crate::document::{DocumentMessage, Documents};
    use crate::policy::Creation;
    use crate::settings::Settings;

    const DOCUMENTS: Documents = Documents {
        awareness: |_| Ok(Vec::new()),
        bare: |event| Ok(event.to_vec()),
        message: |_| Ok(DocumentMessage::Nothing),
        summarize: |_, _| panic!("nothing is summarized"),
        lacks: |_, _, _| Ok(Vec::new()),
        max_bytes: 100,
    };

    fn client(client: u64) -> ClientState {
        ClientState { client, clock: 3, state: "{}".into() }
    }

    /// The status, or the code of the error, and who says what.
    fn decided(action: AwarenessAction, stream: &str, body: &[u8]) -> (String, Vec<Member>) {
        let policy = Policy {
            documents: Some(Documents {
                awareness: |body| Ok(body.iter().map(|byte| client(u64::from(*byte))).collect()),
                ..DOCUMENTS
            }),
            ..Policy::new(Creation::OnPut, &Settings::default())
        };
        let channel = Channel::new(1, ContentType::octet_stream());
        let present = [client(1).member(DEFAULT).unwrap(), client(2).member("cursors").unwrap()];
        let asked = Awareness { stream: stream.into(), action };
        match decide_awareness(&asked, body, Some(&channel), &present, &policy) {
            Ok((said, reply)) => (reply.status().as_str().into(), said),
            Err(error) => (error.kind().code().into(), Vec::new()),
        }
    }

    #[test]
    fn the_default_stream_exists_with_the_document_and_a_named_one_when_it_is_made() {
        use AwarenessAction::{Create, Forget, Look, Read, Say};
        let missing = "awareness-not-found";
        for (action, expected) in [
            (Look, ["200", "200", missing]),
            (Read, ["200", "200", missing]),
            (Create, ["200", "200", "201"]),
            (Say, ["204", "204", "204"]),
            (Forget, ["204", "204", missing]),
        ] {
            for (stream, expected) in [DEFAULT, "cursors", "new"].into_iter().zip(expected) {
                assert_eq!(decided(action, stream, b"").0, expected, "{action:?} {stream}");
            }
        }
        let ids = |action, stream, body: &[u8]| {
            let (_, said) = decided(action, stream, body);
            said.into_iter().map(|member| (member.id, member.state.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(ids(Create, "new", b""), [("new:".into(), true)]);
        assert_eq!(ids(Say, "new", b""), [("new:".into(), true)]);
        assert_eq!(ids(Say, DEFAULT, b"\x07"), [("7".into(), true)]);
        assert_eq!(ids(Forget, "cursors", b""), [("cursors:2".into(), false)]);
    }

    #[test]
    fn there_is_no_awareness_without_a_document() {
        let asked = Awareness { stream: DEFAULT.into(), action: AwarenessAction::Say };
        let policy = Policy::new(Creation::OnPut, &Settings::default());
        let kind =
            |policy: &Policy| decide_awareness(&asked, b"", None, &[], policy).unwrap_err().kind();
        assert_eq!(kind(&policy), ErrorKind::RouteNotFound);
        let policy = Policy { documents: Some(DOCUMENTS), ..policy };
        assert_eq!(kind(&policy), ErrorKind::ChannelNotFound);
    }
}
