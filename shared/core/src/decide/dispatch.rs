//! What to do with a request, given the channel's state and the time.

use http::{StatusCode, header};
use serde_json::value::RawValue;

use super::decision::{Commit, Decision, Moment, Subscribe};
use super::erase::erase;
use crate::access::Revocation;
use crate::channel::latest::Latest;
use crate::channel::{Channel, Event, Expiry, Offset, Row, Start};
use crate::error::{Error, ErrorKind, Result};
use crate::http::headers::{self, reply, set};
use crate::http::{ContentType, Reply};
use crate::policy::Policy;
use crate::presence::Member;
use crate::publish::producer::Turn;
use crate::publish::{Producer, ProducerState, Tally, depth};
use crate::request::{Append, Operation, Read, Transport};
use crate::stats::Stats;
use crate::wire::{Framing, PagePlan, frame, next_cursor};

/// Decides one request. `channel` is `None` also for one that [has expired](Channel::is_expired). `body` is empty for all but `PUT` and `POST`; `tallies` are [`Operation::tallies`], with what the channel knows of each.
///
/// # Errors
///
/// What Durable Streams says for the request and state; nothing was changed then.
pub fn decide(operation: &Operation, body: &[u8], channel: Option<&Channel>, tallies: &[Tally], policy: &Policy, moment: Moment) -> Result<Decision> {
    let decision = unguarded(operation, body, channel, tallies, policy, moment)?;
    // Last: of what is refused anyway the reason counts (RFC 9110, section 13.2.1), and what was stored before is acknowledged again (13.1.1).
    if let Some(only_if) = operation.only_if()
        && !matches!((operation, &decision), (Operation::Append(_), Decision::Reply(_)))
    {
        only_if.check(channel)?;
    }
    Ok(decision)
}

/// Whatever has to be so of the channel.
fn unguarded(operation: &Operation, body: &[u8], channel: Option<&Channel>, tallies: &[Tally], policy: &Policy, moment: Moment) -> Result<Decision> {
    let existing = || channel.cloned().or_else(|| policy.absent()).ok_or_else(not_found);
    match operation {
        Operation::Create { content_type, closed, expiry, location, .. } => {
            let asked = Create { content_type: content_type.as_ref(), closed: *closed, expiry: *expiry, location };
            create(channel, asked, tallies, body, policy, moment)
        }
        Operation::Append(asked) => append(existing()?, asked, tallies, body, policy, moment),
        Operation::Delete { .. } => {
            channel.ok_or_else(not_found)?;
            Ok(Decision::Delete(reply(StatusCode::NO_CONTENT, "")))
        }
        Operation::Erase { offset, by, .. } => erase(*offset, by.as_ref(), channel, policy),
        Operation::Head => Ok(Decision::Reply(head(&existing()?))),
        Operation::Read(read) => read_from(&existing()?, read, policy, moment),
        Operation::Members => Ok(Decision::Presence(policy.presence()?, None)),
        Operation::Announce => Ok(Decision::Presence(policy.presence()?, Some(Member::parse(body, policy.max_json_depth)?))),
        Operation::Revoke => Ok(Decision::Revoke(Revocation::parse(body, moment.now_ms)?, reply(StatusCode::NO_CONTENT, ""))),
        Operation::Stats { is_text } => {
            let channel = channel.ok_or_else(|| Error::new(ErrorKind::ChannelNotFound, "there is no such channel"))?;
            Ok(Decision::Stats(Stats::of(channel, *is_text)))
        }
    }
}

/// Decides a publish of one JSON value over a WebSocket; `None` when it was stored before, which is acknowledged with the tail.
/// `tallies` are [`Policy::tallies`], with what the channel knows of each.
///
/// # Errors
///
/// As for an append.
pub fn decide_publish(
    data: &RawValue,
    producer: Option<&Producer>,
    channel: Option<&Channel>,
    tallies: &[Tally],
    policy: &Policy,
    moment: Moment,
) -> Result<Option<Commit>> {
    let channel = channel.cloned().or_else(|| policy.absent()).ok_or_else(not_found)?;
    // Before all else, as for an append.
    if let Some(producer) = producer
        && let Turn::Duplicate(_) = producer.turn(Tally::known(tallies, producer), channel.closed)?
    {
        return Ok(None);
    }
    if channel.closed {
        return Err(Error::closed(channel.tail_offset()));
    }
    let event = frame::event_data(data, &channel.content_type)?;
    let tallies = Tally::admit(tallies, producer, 1, moment.now_ms)?;
    let commit = write(channel, vec![event], policy, moment)?;
    Ok(Some(commit.by(producer, tallies, moment)))
}

/// The answer to a long poll at whose deadline nothing had come.
pub fn timed_out(offset: Offset, cursor: u64) -> Reply {
    let mut reply = reply(StatusCode::NO_CONTENT, "");
    offset.set(&mut reply);
    set(&mut reply, headers::UP_TO_DATE, "true");
    set(&mut reply, headers::CURSOR, &cursor.to_string());
    set(&mut reply, header::CACHE_CONTROL, "no-store");
    reply
}

fn not_found() -> Error {
    Error::new(ErrorKind::ChannelNotFound, "create the channel with PUT first")
}

struct Create<'a> {
    content_type: Option<&'a ContentType>,
    closed: bool,
    expiry: Option<Expiry>,
    location: &'a str,
}

fn create(channel: Option<&Channel>, asked: Create<'_>, tallies: &[Tally], body: &[u8], policy: &Policy, moment: Moment) -> Result<Decision> {
    let Create { content_type, closed, expiry, location } = asked;
    let expiry = policy.expiry(expiry, moment.now_ms)?;
    let content_type = match (content_type, policy.implicit_type()) {
        (Some(given), Some(fixed)) if given != fixed => {
            let why = format!("channels of this function hold {}", fixed.as_str());
            return Err(Error::new(ErrorKind::ConfigurationMismatch, why));
        }
        (Some(given), _) => given.clone(),
        (None, Some(fixed)) => fixed.clone(),
        (None, None) => ContentType::octet_stream(),
    };
    if let Some(channel) = channel {
        if channel.content_type != content_type || channel.closed != closed {
            let state = if channel.closed { "closed" } else { "open" };
            let why = format!("the channel exists, holds {} and is {state}", channel.content_type.as_str());
            return Err(Error::new(ErrorKind::ConfigurationMismatch, why));
        }
        if channel.expiry.map(|expiry| expiry.begun(0)) != expiry {
            return Err(Error::new(ErrorKind::ConfigurationMismatch, "the channel exists with another Stream-TTL or Stream-Expires-At"));
        }
        return Ok(Decision::Reply(created(StatusCode::OK, channel, location)));
    }
    let events = if body.is_empty() { Vec::new() } else { split(body, &content_type)? };
    // As for an append: what finishes the channel is never too much, and nothing costs nothing.
    let counted = if closed { 0 } else { events.len() as u64 };
    let tallies = if counted > 0 { Tally::admit(tallies, None, counted, moment.now_ms)? } else { Vec::new() };
    let mut commit = write(Channel::absent(content_type), events, policy, moment)?.by(None, tallies, moment);
    commit.channel.closed = closed;
    commit.channel.expiry = expiry.map(|expiry| expiry.begun(moment.now_ms));
    let reply = created(StatusCode::CREATED, &commit.channel, location);
    Ok(Decision::Commit(Box::new(commit), reply))
}

fn created(status: StatusCode, channel: &Channel, location: &str) -> Reply {
    let mut reply = reply(status, "");
    set(&mut reply, header::LOCATION, location);
    set_configuration(&mut reply, channel);
    reply
}

fn append(channel: Channel, asked: &Append, tallies: &[Tally], body: &[u8], policy: &Policy, moment: Moment) -> Result<Decision> {
    // Before all else: what was stored is acknowledged again, even when the channel was finished since, and who is fenced off learns that.
    if let Some(producer) = &asked.producer
        && let Turn::Duplicate(last) = producer.turn(Tally::known(tallies, producer), channel.closed)?
    {
        return Ok(Decision::Reply(appended(&channel, Some(last), StatusCode::NO_CONTENT)));
    }
    if channel.closed {
        if asked.closed && body.is_empty() && asked.producer.is_none() {
            return Ok(Decision::Reply(appended(&channel, None, StatusCode::NO_CONTENT)));
        }
        return Err(Error::closed(channel.tail_offset()));
    }
    let events = if body.is_empty() {
        if !asked.closed {
            return Err(Error::new(ErrorKind::BodyEmpty, "an append without content would be nothing; to finish the channel send `Stream-Closed: true`"));
        }
        Vec::new()
    } else {
        let given = asked.content_type.as_ref().ok_or_else(|| Error::new(ErrorKind::ContentTypeMissing, "say with Content-Type what the body holds"))?;
        if *given != channel.content_type {
            let why = format!("the channel holds {}, the body is {}", channel.content_type.as_str(), given.as_str());
            return Err(Error::new(ErrorKind::ContentTypeMismatch, why));
        }
        let events = split(body, &channel.content_type)?;
        if events.is_empty() {
            return Err(Error::new(ErrorKind::BodyEmpty, "an empty array appends nothing"));
        }
        events
    };
    if let (Some(given), Some(last)) = (&asked.stream_seq, &channel.stream_seq)
        && given <= last
    {
        return Err(Error::new(ErrorKind::SequenceNotRising, format!("Stream-Seq {given:?} is not above {last:?}, compared as text")));
    }
    // The one that finishes is the last: how it ended is never too much.
    let counted = if asked.closed { 0 } else { events.len() as u64 };
    let tallies = Tally::admit(tallies, asked.producer.as_ref(), counted, moment.now_ms)?;
    let mut commit = write(channel, events, policy, moment)?.by(asked.producer.as_ref(), tallies, moment);
    if let Some(seq) = &asked.stream_seq {
        commit.channel.stream_seq = Some(seq.clone());
        commit.is_channel_changed = true;
    }
    if asked.closed {
        commit.channel.closed = true;
        commit.is_channel_changed = true;
    }
    // Durable Streams tells a producer's first time from a repetition by the status.
    let status = if asked.producer.is_some() && !body.is_empty() { StatusCode::OK } else { StatusCode::NO_CONTENT };
    let reply = appended(&commit.channel, asked.producer.as_ref().map(|producer| producer.state(0)), status);
    Ok(Decision::Commit(Box::new(commit), reply))
}

fn appended(channel: &Channel, producer: Option<ProducerState>, status: StatusCode) -> Reply {
    let mut reply = reply(status, "");
    set_state(&mut reply, channel);
    headers::remove_content_type(&mut reply);
    if let Some(state) = producer {
        set(&mut reply, headers::PRODUCER_EPOCH, &state.epoch.to_string());
        set(&mut reply, headers::PRODUCER_SEQ, &state.seq.to_string());
    }
    reply
}

/// The rows for new events and the channel after them; makes the channel when it does not exist.
fn write(mut channel: Channel, events: Vec<Vec<u8>>, policy: &Policy, moment: Moment) -> Result<Commit> {
    if events.len() as u64 > policy.max_batch_events {
        let why = format!("{} events in one publish, of at most {}", events.len(), policy.max_batch_events);
        return Err(Error::new(ErrorKind::BatchTooLarge, why));
    }
    if let Some(large) = events.iter().find(|event| event.len() as u64 > policy.max_event_bytes) {
        let why = format!("an event has {} bytes, of at most {}", large.len(), policy.max_event_bytes);
        return Err(Error::new(ErrorKind::EventTooLarge, why));
    }
    if channel.content_type.is_json() {
        events.iter().try_for_each(|event| depth::check(event, policy.max_json_depth))?;
    }
    events.iter().try_for_each(|event| (policy.check)(event))?;
    let is_new = !channel.exists();
    if is_new {
        channel.epoch = moment.epoch();
        channel.expiry = policy.expiry(None, moment.now_ms)?.map(|expiry| expiry.begun(moment.now_ms));
    }
    if channel.first > channel.tail && !events.is_empty() {
        channel.first_at_ms = moment.now_ms;
    }
    let rows = events
        .into_iter()
        .map(|data| {
            channel.tail += 1;
            channel.total += data.len() as u64;
            Row { event: Event { seq: channel.tail, data }, at_ms: moment.now_ms, total: channel.total }
        })
        .collect();
    Ok(Commit { channel, rows, is_channel_changed: is_new, is_new, producer: None, tallies: Vec::new(), forgetting: None, erased: None })
}

/// The events of a body: each element of a JSON array, one level deep; else the body itself.
fn split(body: &[u8], content_type: &ContentType) -> Result<Vec<Vec<u8>>> {
    if !content_type.is_text() {
        return Ok(vec![body.to_vec()]);
    }
    let text =
        std::str::from_utf8(body).map_err(|error| Error::new(ErrorKind::BodyNotUtf8, format!("the body is not UTF-8 from byte {} on", error.valid_up_to())))?;
    if !content_type.is_json() {
        return Ok(vec![text.into()]);
    }
    let not_json = |error: serde_json::Error| Error::new(ErrorKind::BodyNotJson, error.to_string());
    if text.trim_start().starts_with('[') {
        let values: Vec<&RawValue> = serde_json::from_str(text).map_err(not_json)?;
        return Ok(values.into_iter().map(|value| value.get().into()).collect());
    }
    let value: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    Ok(vec![value.get().into()])
}

fn head(channel: &Channel) -> Reply {
    let mut reply = reply(StatusCode::OK, "");
    set_configuration(&mut reply, channel);
    set(&mut reply, header::CACHE_CONTROL, "no-store");
    reply
}

fn set_configuration(reply: &mut Reply, channel: &Channel) {
    set_state(reply, channel);
    if let Some(expiry) = channel.expiry {
        expiry.set(reply);
    }
}

fn set_state(reply: &mut Reply, channel: &Channel) {
    headers::set_content_type(reply, &channel.content_type);
    channel.tail_offset().set(reply);
    if channel.closed {
        set(reply, headers::CLOSED, "true");
    }
}

fn read_from(channel: &Channel, read: &Read, policy: &Policy, moment: Moment) -> Result<Decision> {
    let position = channel.position(read.start);
    let at_tail = position.after == channel.tail;
    let finished = channel.closed && at_tail;
    let cursor = next_cursor(moment.now_ms, read.cursor, moment.entropy);
    if let (Some(gap), Transport::Poll | Transport::LongPoll) = (position.gap, read.transport) {
        return Err(Error::gone(gap.requested, gap.earliest));
    }
    let subscribe = |framing| Decision::Subscribe(Subscribe { framing, after: position.after, gap: position.gap, cursor });
    Ok(match read.transport {
        Transport::Poll if read.latest && policy.latest.is_none() => {
            return Err(Error::new(ErrorKind::NotSupported, "events of this function have no keys, so there is no newest of each"));
        }
        Transport::Poll => Decision::Page(PagePlan {
            after: position.after,
            is_at_tail: at_tail,
            if_none_match: read.if_none_match.clone(),
            cursor: None,
            is_cacheable: read.start != Start::Tail,
            polling: Some(policy.polling),
            latest: policy.latest.filter(|_| read.latest).map(|keys| Latest { keys, limit: policy.page }),
        }),
        Transport::LongPoll if finished => {
            let mut reply = timed_out(channel.tail_offset(), cursor);
            set(&mut reply, headers::CLOSED, "true");
            Decision::Reply(reply)
        }
        Transport::LongPoll if at_tail => subscribe(Framing::News),
        Transport::LongPoll => Decision::Page(PagePlan::after_wait(position.after, cursor)),
        // Any other status would bring the EventSource back for ever.
        Transport::EventSource if finished && position.gap.is_none() => {
            let mut reply = reply(StatusCode::NO_CONTENT, "");
            // 204 is cacheable by default, and a channel of the name may begin anew.
            set(&mut reply, header::CACHE_CONTROL, "no-store");
            Decision::Reply(reply)
        }
        Transport::EventSource => subscribe(Framing::EventSource),
        Transport::DurableSse => subscribe(Framing::DurableSse),
        Transport::WebSocket => subscribe(Framing::TidewireV1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Grant;
    use crate::channel::Page;
    use crate::http::{Polling, RequestHead};
    use crate::policy::Creation;
    use crate::publish::Rate;
    use crate::settings::Settings;

    const NOW: Moment = Moment { now_ms: 5_000, entropy: 0, last_epoch: 0 };

    fn policy() -> Policy {
        Policy::new(Creation::OnPublish(ContentType::json()), &Settings::default())
    }

    fn appended_to(channel: Option<&Channel>, stream_seq: Option<&str>, closed: bool, moment: Moment) -> Commit {
        let operation =
            Operation::Append(Append { content_type: Some(ContentType::json()), stream_seq: stream_seq.map(Into::into), closed, ..Append::default() });
        match decide(&operation, b"[1,[22]]", channel, &[], &policy(), moment).unwrap() {
            Decision::Commit(commit, _) => *commit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_stand_at_explicit_positions_with_running_totals() {
        let channel = Channel { first: 3, tail: 7, total: 100, dropped: 40, first_at_ms: 9, ..Channel::new(1, ContentType::json()) };
        let commit = appended_to(Some(&channel), None, false, NOW);
        let rows: Vec<_> = commit.rows.iter().map(|row| (row.event.seq, row.event.data.as_slice(), row.at_ms, row.total)).collect();
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
    fn how_it_ended_is_stored_however_much_came_before() {
        let channel = Channel::new(1, ContentType::json());
        let busy = Some(ProducerState { busy_until_ms: NOW.now_ms + 1_000, ..ProducerState::default() });
        let policy = Policy { rate: Some(Rate { events: 1, per_ms: 1_000 }), ..policy() };
        let decided = |closed| {
            let append = Append { content_type: Some(ContentType::json()), closed, ..Append::default() };
            let mut tallies = policy.tallies(&Grant::default(), None);
            tallies.iter_mut().for_each(|tally| tally.known = busy);
            decide(&Operation::Append(append), b"1", Some(&channel), &tallies, &policy, NOW).map(|_| ()).map_err(|error| error.kind())
        };
        assert_eq!(decided(false), Err(ErrorKind::RateExceeded));
        assert_eq!(decided(true), Ok(()));
    }

    #[test]
    fn the_first_content_of_a_channel_counts_for_the_rate_as_any_other() {
        let policy = Policy { creation: Creation::OnPut, rate: Some(Rate { events: 2, per_ms: 1_000 }), ..policy() };
        let created = |closed, body: &[u8]| {
            let create =
                Operation::Create { content_type: Some(ContentType::json()), closed, expiry: None, location: String::new(), only_if: Default::default() };
            let tallies = create.tallies(&Grant::default(), &policy);
            match decide(&create, body, None, &tallies, &policy, NOW) {
                Ok(Decision::Commit(commit, _)) => Ok(commit.tallies.iter().map(|(_, state)| state.busy_until_ms).collect::<Vec<_>>()),
                other => Err(other.map(|_| ()).unwrap_err().kind()),
            }
        };
        assert_eq!(created(false, b"[1,2]"), Ok(vec![6_000]));
        assert_eq!(created(false, b"[1,2,3]"), Err(ErrorKind::BatchTooLarge));
        assert_eq!(created(true, b"[1,2,3]"), Ok(vec![]));
        assert_eq!(created(false, b""), Ok(vec![]));
    }

    #[test]
    fn the_first_event_kept_gives_its_time() {
        let emptied = Channel { first: 8, tail: 7, first_at_ms: 9, ..Channel::new(1, ContentType::json()) };
        assert_eq!(appended_to(Some(&emptied), None, false, NOW).channel.first_at_ms, 5_000);
        assert_eq!(appended_to(None, None, false, NOW).channel.first_at_ms, 5_000);
    }

    #[test]
    fn a_channel_made_anew_has_a_later_epoch_even_within_a_millisecond() {
        assert_eq!(appended_to(None, None, false, NOW).channel.epoch, 5_000);
        assert_eq!(appended_to(None, None, false, Moment { last_epoch: 5_000, ..NOW }).channel.epoch, 5_001);
        assert_eq!(appended_to(None, None, false, Moment { last_epoch: 9_000, ..NOW }).channel.epoch, 9_001);
    }

    #[test]
    fn a_publish_over_a_websocket_is_refused_after_the_end() {
        let channel = Channel { closed: true, tail: 3, ..Channel::new(1, ContentType::json()) };
        let data = RawValue::from_string("1".into()).unwrap();
        let error = decide_publish(&data, None, Some(&channel), &[], &policy(), NOW).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ChannelClosed);
        assert!(error.headers().any(|(name, value)| name == "stream-next-offset" && value == channel.tail_offset().to_string()));
    }

    /// The headers `cache-control`, `retry-after` and `vary` of a plain GET.
    fn polled(polling: Polling, channel: &Channel, query: &str, end: u64) -> [Option<String>; 3] {
        let head = RequestHead { method: "GET", url: "http://a/b", path: "/b", query, headers: &|_| None };
        let policy = Policy { polling, ..policy() };
        let Ok(Decision::Page(plan)) = decide(&Operation::parse(&head).unwrap(), &[], Some(channel), &[], &policy, NOW) else { panic!("no page") };
        let events = (plan.after + 1..=end).map(|seq| Event { seq, data: b"1".to_vec() }).collect();
        let reply = plan.reply(channel, &Page { after: plan.after, events });
        ["cache-control", "retry-after", "vary"].map(|name| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned()))
    }

    #[test]
    fn a_poll_is_told_when_to_come_again_while_something_may_come() {
        let (open, told) = (Channel { tail: 3, ..Channel::new(1, ContentType::json()) }, Polling { retry_after_s: Some(5), ..Polling::default() });
        let retry_after = |channel: &Channel, end| polled(told, channel, "", end)[1].clone();
        assert_eq!(retry_after(&open, 3).as_deref(), Some("5"));
        assert_eq!(retry_after(&open, 2), None);
        assert_eq!(retry_after(&Channel { closed: true, ..open.clone() }, 3), None);
        assert_eq!(polled(Polling::default(), &open, "", 3)[1], None);
    }

    #[test]
    fn only_a_function_that_says_so_is_answered_by_shared_caches() {
        let channel = Channel { tail: 3, ..Channel::new(1, ContentType::json()) };
        let public = Polling { public_max_age_s: Some(7), ..Polling::default() };
        let cache_control = |polling, query| polled(polling, &channel, query, 3)[0].clone().unwrap();
        assert_eq!(cache_control(Polling::default(), ""), "private, no-cache, no-transform");
        assert_eq!(cache_control(public, ""), "public, max-age=7, no-transform");
        // What `now` means changes with every event.
        assert_eq!(cache_control(public, "offset=now"), "no-store");
        // The same address as an EventSource, or from a Last-Event-ID, is another answer.
        assert_eq!(polled(public, &channel, "", 3)[2].as_deref(), Some("accept, last-event-id"));
    }
}
