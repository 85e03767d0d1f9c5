//! Publishing: by an append over HTTP, and by a frame over a WebSocket.

use http::StatusCode;
use serde_json::value::RawValue;

use super::commit::{Commit, Write, write};
use super::existing::existing;
use super::moment::Moment;
use crate::access::Grant;
use crate::channel::Channel;
use crate::error::{Error, ErrorKind, Result};
use crate::http::headers::{self, reply, set};
use crate::http::{ContentType, Reply};
use crate::policy::Policy;
use crate::publish::producer::Turn;
use crate::publish::{Producer, ProducerState, Tally, batch};
use crate::request::{Append, Precondition};
use crate::wire::frame;

/// Where a publish begins.
enum Begin {
    /// The channel accepts it.
    Open(Channel),
    /// The channel has it already; the state names the producer's last publish.
    Stored(Channel, ProducerState),
    /// The channel is finished.
    Closed(Channel),
}

/// First of all: a repeated publish is acknowledged again, even if the channel is finished by now,
/// and a fenced producer gets `producer-fenced`.
fn begin(
    channel: Option<&Channel>,
    producer: Option<&Producer>,
    tallies: &[Tally],
    policy: &Policy,
) -> Result<Begin> {
    let channel = existing(channel, policy)?;
    if let Some(producer) = producer
        && let Turn::Duplicate(last) =
            producer.turn(Tally::known(tallies, producer), channel.closed)?
    {
        return Ok(Begin::Stored(channel, last));
    }
    Ok(if channel.closed { Begin::Closed(channel) } else { Begin::Open(channel) })
}

pub(crate) fn append(
    channel: Option<&Channel>,
    append: &Append,
    grant: &Grant,
    tallies: &[Tally],
    body: &[u8],
    policy: &Policy,
    moment: Moment,
) -> Result<Write> {
    let channel = match begin(channel, append.producer.as_ref(), tallies, policy)? {
        Begin::Open(channel) => channel,
        Begin::Stored(channel, last) => {
            return Ok(Write::Nothing(appended(&channel, Some(last), StatusCode::NO_CONTENT)));
        }
        // The channel is closed already: repeating it is harmless.
        Begin::Closed(channel) if append.closed && body.is_empty() && append.producer.is_none() => {
            return Ok(Write::Nothing(appended(&channel, None, StatusCode::NO_CONTENT)));
        }
        Begin::Closed(channel) => return Err(Error::closed(channel.tail_offset())),
    };
    // The stock client of a document sends an empty body when it disconnects.
    if body.is_empty() && policy.documents.is_some() {
        return Ok(Write::Nothing(appended(&channel, None, StatusCode::NO_CONTENT)));
    }
    let events = new_events(append, body, &channel.content_type)?;
    check_sequence(append, &channel)?;
    // The append that finishes the channel is its last: the rate must not refuse the result.
    let counted = if append.closed { 0 } else { events.len() as u64 };
    let tallies = Tally::check_rate(tallies, append.producer.as_ref(), counted, moment.now_ms)?;
    let mut commit = write(channel, events, grant, policy, moment)?.by(
        append.producer.as_ref(),
        tallies,
        moment,
    );
    if let Some(seq) = &append.stream_seq {
        commit.channel.stream_seq = Some(seq.clone());
        commit.is_channel_changed = true;
    }
    if append.closed {
        commit.channel.closed = true;
        commit.is_channel_changed = true;
    }
    // A condition and the room of a document were checked at the tail that is known here.
    commit.is_placeable = !commit.is_channel_changed
        && append.only_if == Precondition::default()
        && policy.documents.is_none();
    // Durable Streams distinguishes a producer's first append from a repetition by the status.
    let status = if append.producer.is_some() && !body.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::NO_CONTENT
    };
    let is_nothing = commit.rows.is_empty()
        && !commit.is_channel_changed
        && commit.tallies.is_empty()
        && append.producer.is_none();
    let reply = appended(
        &commit.channel,
        append.producer.as_ref().map(|producer| producer.state(0)),
        status,
    );
    if is_nothing { Ok(Write::Nothing(reply)) } else { Ok(Write::Commit(Box::new(commit), reply)) }
}

/// The events of a body: none for an append that only finishes the channel.
fn new_events(append: &Append, body: &[u8], content_type: &ContentType) -> Result<Vec<Vec<u8>>> {
    if body.is_empty() {
        return if append.closed {
            Ok(Vec::new())
        } else {
            Err(Error::new(
                ErrorKind::BodyEmpty,
                "the body is empty: send an event or, to close the channel, `Stream-Closed: true`",
            ))
        };
    }
    let given = append.content_type.as_ref().ok_or_else(|| {
        Error::new(ErrorKind::ContentTypeMissing, "Content-Type is missing: send that of the body")
    })?;
    if given != content_type {
        let why = format!(
            "Content-Type must be that of the channel, {}, not {}",
            content_type.as_str(),
            given.as_str()
        );
        return Err(Error::new(ErrorKind::ContentTypeMismatch, why));
    }
    let events = batch::split(body, content_type)?;
    if events.is_empty() {
        return Err(Error::new(
            ErrorKind::BodyEmpty,
            "the array is empty: send at least one event",
        ));
    }
    Ok(events)
}

/// Refuses a `Stream-Seq` that does not rise.
fn check_sequence(append: &Append, channel: &Channel) -> Result<()> {
    if let (Some(given), Some(last)) = (&append.stream_seq, &channel.stream_seq)
        && given <= last
    {
        return Err(Error::new(
            ErrorKind::SequenceNotRising,
            format!("Stream-Seq must be greater than {last:?}, compared as text, got {given:?}"),
        ));
    }
    Ok(())
}

fn appended(channel: &Channel, producer: Option<ProducerState>, status: StatusCode) -> Reply {
    let mut reply = reply(status, "");
    channel.set_state(&mut reply);
    headers::remove_content_type(&mut reply);
    if let Some(state) = producer {
        set(&mut reply, headers::PRODUCER_EPOCH, &state.epoch.to_string());
        set(&mut reply, headers::PRODUCER_SEQ, &state.seq.to_string());
    }
    reply
}

/// Decides a publish of one JSON value over a WebSocket, with the access of its connection; `None`
/// for a repeated publish, which is acknowledged with the tail. `tallies` are [`Policy::tallies`],
/// each with the state that the channel has of it.
///
/// # Errors
///
/// As for an append.
pub fn decide_publish(
    data: &RawValue,
    grant: &Grant,
    producer: Option<&Producer>,
    channel: Option<&Channel>,
    tallies: &[Tally],
    policy: &Policy,
    moment: Moment,
) -> Result<Option<Commit>> {
    let channel = match begin(channel, producer, tallies, policy)? {
        Begin::Open(channel) => channel,
        Begin::Stored(..) => return Ok(None),
        Begin::Closed(channel) => return Err(Error::closed(channel.tail_offset())),
    };
    let event = frame::event_data(data, &channel.content_type)?;
    let tallies = Tally::check_rate(tallies, producer, 1, moment.now_ms)?;
    let commit = write(channel, vec![event], grant, policy, moment)?;
    Ok(Some(commit.by(producer, tallies, moment)))
}

/// Decides an event of updates over y-websocket, of which the first makes the document; `None` if the
/// event brings nothing. `tallies` are [`Policy::tallies`], each with the state that the channel has
/// of it.
///
/// # Errors
///
/// As for an append.
pub(crate) fn decide_update(
    event: Vec<u8>,
    grant: &Grant,
    channel: Option<&Channel>,
    tallies: &[Tally],
    policy: &Policy,
    moment: Moment,
) -> Result<Option<Commit>> {
    let channel = channel.cloned().unwrap_or_else(Channel::absent_document);
    if channel.closed {
        return Err(Error::closed(channel.tail_offset()));
    }
    let commit = write(channel, vec![event], grant, policy, moment)?;
    if commit.rows.is_empty() {
        return Ok(None);
    }
    let tallies = Tally::check_rate(tallies, None, 1, moment.now_ms)?;
    Ok(Some(commit.by(None, tallies, moment)))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::change::{ChangeDecision, decide_change};
    use super::*;
    use crate::error::ErrorKind;
    use crate::http::ContentType;
    use crate::policy::Creation;
    use crate::publish::Rate;
    use crate::request::{Change, Create};
    use crate::settings::Settings;

    const NOW: Moment = Moment { now_ms: 5_000, entropy: 0, last_epoch: 0 };

    fn policy() -> Policy {
        Policy::new(Creation::OnPublish(ContentType::json()), &Settings::default())
    }

    fn appended_to(
        channel: Option<&Channel>,
        stream_seq: Option<&str>,
        closed: bool,
        moment: Moment,
    ) -> Commit {
        let change = Change::Append(Append {
            content_type: Some(ContentType::json()),
            stream_seq: stream_seq.map(Into::into),
            closed,
            ..Append::default()
        });
        match decide_change(
            &change,
            &Grant::default(),
            b"[1,[22]]",
            channel,
            &[],
            &policy(),
            moment,
        )
        .unwrap()
        {
            ChangeDecision::Write(Write::Commit(commit, _)) => *commit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_stand_at_explicit_positions_with_running_totals() {
        let channel = Channel {
            first: 3,
            tail: 7,
            total: 100,
            dropped: 40,
            first_at_ms: 9,
            ..Channel::new(1, ContentType::json())
        };
        let commit = appended_to(Some(&channel), None, false, NOW);
        let rows: Vec<_> = commit
            .rows
            .iter()
            .map(|row| (row.event.seq, row.event.data.as_slice(), row.at_ms, row.total))
            .collect();
        assert_eq!(rows, [(8, b"1".as_slice(), 5_000, 101), (9, b"[22]", 5_000, 105)]);
        assert_eq!(commit.channel, Channel { tail: 9, total: 105, ..channel });
    }

    #[test]
    fn an_append_alone_leaves_the_channels_own_row_as_it_is() {
        let channel = Channel::new(1, ContentType::json());
        assert!(!appended_to(Some(&channel), None, false, NOW).is_channel_changed);
        assert!(appended_to(Some(&channel), Some("a"), false, NOW).is_channel_changed);
        assert!(appended_to(Some(&channel), None, true, NOW).is_channel_changed);
        assert!(appended_to(None, None, false, NOW).is_channel_changed);
    }

    #[test]
    fn events_alone_may_stand_behind_those_of_a_faster_writer() {
        let channel = Channel { tail: 7, total: 100, ..Channel::new(1, ContentType::json()) };
        assert!(!appended_to(Some(&channel), Some("a"), false, NOW).is_placeable);
        assert!(!appended_to(Some(&channel), None, true, NOW).is_placeable);
        assert!(!appended_to(None, None, false, NOW).is_placeable);
        let mut commit = appended_to(Some(&channel), None, false, NOW);
        assert!(commit.is_placeable);
        let mut reply = appended(&commit.channel, None, StatusCode::NO_CONTENT);
        let before = reply.headers()["stream-next-offset"].clone();
        commit.place_after(7, 100, &mut reply);
        assert_eq!(reply.headers()["stream-next-offset"], before);
        commit.place_after(10, 130, &mut reply);
        let rows: Vec<_> = commit.rows.iter().map(|row| (row.event.seq, row.total)).collect();
        assert_eq!(rows, [(11, 131), (12, 135)]);
        assert_eq!(commit.channel, Channel { tail: 12, total: 135, first_at_ms: 0, ..channel });
        let offset = commit.channel.tail_offset().to_string();
        assert_eq!(reply.headers()["stream-next-offset"], offset.as_str());
    }

    #[test]
    fn an_event_that_brings_nothing_is_acknowledged_and_not_stored() {
        let policy = Policy {
            check: |event, _, _| Ok(if event == b"0" { Cow::Borrowed(&[]) } else { event.into() }),
            ..policy()
        };
        let channel = Channel { tail: 7, ..Channel::new(1, ContentType::json()) };
        let decided = |body: &[u8], producer: Option<Producer>| {
            let append =
                Append { content_type: Some(ContentType::json()), producer, ..Append::default() };
            let tallies = policy.tallies(&Grant::default(), append.producer.as_ref());
            let change = Change::Append(append);
            decide_change(&change, &Grant::default(), body, Some(&channel), &tallies, &policy, NOW)
                .unwrap()
        };
        let ChangeDecision::Write(Write::Nothing(reply)) = decided(b"0", None) else {
            panic!("written")
        };
        assert_eq!(reply.status(), StatusCode::NO_CONTENT);
        let ChangeDecision::Write(Write::Commit(commit, _)) = decided(b"[0,5,0]", None) else {
            panic!("not written")
        };
        assert_eq!((commit.rows.len(), commit.channel.tail), (1, 8));
        // The producer has it behind it: what it sends next is no gap.
        let producer = Producer { id: "a".into(), epoch: 0, seq: 0 };
        let ChangeDecision::Write(Write::Commit(commit, _)) = decided(b"0", Some(producer)) else {
            panic!("not written")
        };
        assert_eq!((commit.rows.len(), commit.tallies.len()), (0, 1));
    }

    #[test]
    fn how_it_ended_is_stored_however_much_came_before() {
        let channel = Channel::new(1, ContentType::json());
        let busy =
            Some(ProducerState { busy_until_ms: NOW.now_ms + 1_000, ..ProducerState::default() });
        let policy = Policy { rate: Some(Rate { events: 1, per_ms: 1_000 }), ..policy() };
        let decided = |closed| {
            let append =
                Append { content_type: Some(ContentType::json()), closed, ..Append::default() };
            let mut tallies = policy.tallies(&Grant::default(), None);
            tallies.iter_mut().for_each(|tally| tally.known = busy);
            decide_change(
                &Change::Append(append),
                &Grant::default(),
                b"1",
                Some(&channel),
                &tallies,
                &policy,
                NOW,
            )
            .map(|_| ())
            .map_err(|error| error.kind())
        };
        assert_eq!(decided(false), Err(ErrorKind::RateExceeded));
        assert_eq!(decided(true), Ok(()));
    }

    #[test]
    fn the_first_event_kept_gives_its_time() {
        let emptied =
            Channel { first: 8, tail: 7, first_at_ms: 9, ..Channel::new(1, ContentType::json()) };
        assert_eq!(appended_to(Some(&emptied), None, false, NOW).channel.first_at_ms, 5_000);
        assert_eq!(appended_to(None, None, false, NOW).channel.first_at_ms, 5_000);
    }

    #[test]
    fn a_channel_made_anew_has_a_later_epoch_even_within_a_millisecond() {
        assert_eq!(appended_to(None, None, false, NOW).channel.epoch, 5_000);
        assert_eq!(
            appended_to(None, None, false, Moment { last_epoch: 5_000, ..NOW }).channel.epoch,
            5_001
        );
        assert_eq!(
            appended_to(None, None, false, Moment { last_epoch: 9_000, ..NOW }).channel.epoch,
            9_001
        );
    }

    #[test]
    fn a_publish_over_a_websocket_is_refused_after_the_end() {
        let channel = Channel { closed: true, tail: 3, ..Channel::new(1, ContentType::json()) };
        let data = RawValue::from_string("1".into()).unwrap();
        let error =
            decide_publish(&data, &Grant::default(), None, Some(&channel), &[], &policy(), NOW)
                .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ChannelClosed);
        assert!(error.headers().any(|(name, value)| name == "stream-next-offset"
            && value == channel.tail_offset().to_string()));
    }

    /// As functions write it: author = subject, the server's time, a cleaned text.
    fn signed<'a>(event: &'a [u8], grant: &Grant, now_ms: u64) -> Result<Cow<'a, [u8]>> {
        match (&grant.subject, event) {
            (Some(subject), _) => {
                Ok(format!("[{subject:?},{now_ms},{}]", String::from_utf8_lossy(event))
                    .into_bytes()
                    .into())
            }
            (None, b"[1]") => {
                Ok(event.strip_prefix(b"[").unwrap().strip_suffix(b"]").unwrap().into())
            }
            (None, b"0") => Ok(b"no JSON".into()),
            (None, _) => Ok(event.into()),
        }
    }

    /// What is stored of the events in `body`, by HTTP with and without a channel, and of each of
    /// them over WebSocket.
    fn stored(body: &str, grant: &Grant, policy: &Policy) -> [Result<Vec<String>, ErrorKind>; 3] {
        let (channel, content_type) =
            (Channel::new(1, ContentType::json()), Some(ContentType::json()));
        let texts = |commit: &Commit| {
            assert_eq!(
                commit.channel.total,
                commit.rows.iter().map(|row| row.event.data.len() as u64).sum::<u64>()
            );
            commit
                .rows
                .iter()
                .map(|row| String::from_utf8(row.event.data.clone()).unwrap())
                .collect::<Vec<_>>()
        };
        let committed = |change: &Change, channel| match decide_change(
            change,
            grant,
            body.as_bytes(),
            channel,
            &[],
            policy,
            NOW,
        ) {
            Ok(ChangeDecision::Write(Write::Commit(commit, _))) => Ok(texts(&commit)),
            other => Err(other.map(|_| ()).unwrap_err().kind()),
        };
        let create =
            Change::Create(Create { content_type: content_type.clone(), ..Create::default() });
        let values: Vec<&RawValue> = serde_json::from_str(body).unwrap();
        let published = |value: &&RawValue| match decide_publish(
            value,
            grant,
            None,
            Some(&channel),
            &[],
            policy,
            NOW,
        ) {
            Ok(commit) => Ok(texts(&commit.unwrap()).remove(0)),
            Err(error) => Err(error.kind()),
        };
        [
            committed(
                &Change::Append(Append { content_type, ..Append::default() }),
                Some(&channel),
            ),
            committed(&create, None),
            values.iter().map(published).collect(),
        ]
    }

    #[test]
    fn what_the_check_returns_is_stored_and_counted_on_every_way_in() {
        let policy = Policy { check: signed, ..policy() };
        let ann = Grant { subject: Some("ann".into()), ..Grant::default() };
        let texts = |texts: [&str; 2]| Ok(texts.map(String::from).to_vec());
        assert_eq!(
            stored("[1,[2]]", &ann, &policy),
            [(); 3].map(|()| texts([r#"["ann",5000,1]"#, r#"["ann",5000,[2]]"#]))
        );
        assert_eq!(
            stored("[ 7, [1]]", &Grant::default(), &policy),
            [(); 3].map(|()| texts(["7", "1"]))
        );
    }

    #[test]
    fn what_the_check_returns_keeps_the_limits_and_is_json() {
        let policy = Policy { check: signed, max_event_bytes: 17, max_json_depth: 2, ..policy() };
        let ann = Grant { subject: Some("ann".into()), ..Grant::default() };
        assert_eq!(
            stored("[1234]", &ann, &policy),
            [(); 3].map(|()| Ok(vec![r#"["ann",5000,1234]"#.into()]))
        );
        assert_eq!(
            stored("[12345]", &ann, &policy),
            [(); 3].map(|()| Err(ErrorKind::EventTooLarge))
        );
        assert_eq!(
            stored("[[[]]]", &Grant::default(), &policy),
            [(); 3].map(|()| Ok(vec!["[[]]".into()]))
        );
        assert_eq!(stored("[[[]]]", &ann, &policy), [(); 3].map(|()| Err(ErrorKind::JsonTooDeep)));
        assert_eq!(
            stored("[0]", &Grant::default(), &policy),
            [(); 3].map(|()| Err(ErrorKind::Internal))
        );
    }

    #[test]
    fn what_a_producer_repeats_is_not_checked_again() {
        let policy =
            Policy { check: |_, _, _| Err(Error::new(ErrorKind::EventRefused, "")), ..policy() };
        let (channel, producer) =
            (Channel::new(1, ContentType::json()), Producer { id: "p".into(), epoch: 0, seq: 3 });
        let mut tallies = policy.tallies(&Grant::default(), Some(&producer));
        tallies.iter_mut().for_each(|tally| tally.known = Some(producer.state(0)));
        let append = Change::Append(Append {
            content_type: Some(ContentType::json()),
            producer: Some(producer.clone()),
            ..Append::default()
        });
        assert!(matches!(
            decide_change(&append, &Grant::default(), b"1", Some(&channel), &tallies, &policy, NOW),
            Ok(ChangeDecision::Write(Write::Nothing(_)))
        ));
        let data = RawValue::from_string("1".into()).unwrap();
        assert!(
            decide_publish(
                &data,
                &Grant::default(),
                Some(&producer),
                Some(&channel),
                &tallies,
                &policy,
                NOW
            )
            .unwrap()
            .is_none()
        );
    }
}
