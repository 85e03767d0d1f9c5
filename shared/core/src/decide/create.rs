//! Creating a channel.

use http::{StatusCode, header};

use super::commit::{Write, write};
use super::moment::Moment;
use crate::access::{Grant, Right};
use crate::channel::{Channel, Expiry};
use crate::error::{Error, ErrorKind, Result};
use crate::http::headers::{reply, set};
use crate::http::{ContentType, Reply};
use crate::policy::Policy;
use crate::publish::{Tally, batch};
use crate::request::Create;

pub(crate) fn create(
    channel: Option<&Channel>,
    create: &Create,
    grant: &Grant,
    tallies: &[Tally],
    body: &[u8],
    policy: &Policy,
    moment: Moment,
) -> Result<Write> {
    let Create { content_type, closed, expiry, location, opens, .. } = create;
    if *opens {
        if let Some(channel) = channel {
            return Ok(Write::Nothing(created(StatusCode::OK, channel, location)));
        }
        grant.demand(Right::Publish)?;
        if content_type.as_ref().is_some_and(|given| *given != ContentType::octet_stream()) {
            let why = "Content-Type of a document must be application/octet-stream, or be left out";
            return Err(Error::new(ErrorKind::ConfigurationMismatch, why));
        }
    }
    let closed = *closed;
    let expiry = policy.expiry(*expiry, moment.now_ms)?;
    let content_type = type_of_new(content_type.as_ref(), policy)?;
    if let Some(channel) = channel {
        check_configuration(channel, &content_type, closed, expiry)?;
        return Ok(Write::Nothing(created(StatusCode::OK, channel, location)));
    }
    let events = if body.is_empty() { Vec::new() } else { batch::split(body, &content_type)? };
    // As for an append: the event that finishes the channel is never over the rate, and an empty
    // body counts for nothing.
    let counted = if closed { 0 } else { events.len() as u64 };
    let tallies = if counted > 0 {
        Tally::check_rate(tallies, None, counted, moment.now_ms)?
    } else {
        Vec::new()
    };
    let mut commit = write(Channel::absent(content_type), events, grant, policy, moment)?
        .by(None, tallies, moment);
    commit.channel.closed = closed;
    commit.channel.expiry = expiry.map(|expiry| expiry.begun(moment.now_ms));
    let reply = created(StatusCode::CREATED, &commit.channel, location);
    Ok(Write::Commit(Box::new(commit), reply))
}

fn type_of_new(given: Option<&ContentType>, policy: &Policy) -> Result<ContentType> {
    match (given, policy.implicit_type()) {
        (Some(given), Some(fixed)) if given != fixed => {
            let why = format!(
                "Content-Type must be {}, as in every channel of this function",
                fixed.as_str()
            );
            Err(Error::new(ErrorKind::ConfigurationMismatch, why))
        }
        (Some(given), _) => Ok(given.clone()),
        (None, Some(fixed)) => Ok(fixed.clone()),
        (None, None) => Ok(ContentType::octet_stream()),
    }
}

/// Refuses a `PUT` of a channel that exists with another configuration.
fn check_configuration(
    channel: &Channel,
    content_type: &ContentType,
    closed: bool,
    expiry: Option<Expiry>,
) -> Result<()> {
    if channel.content_type != *content_type || channel.closed != closed {
        let state = if channel.closed { "closed" } else { "open" };
        let why = format!(
            "the channel exists with Content-Type {} and is {state}: send the same, or delete it first",
            channel.content_type.as_str()
        );
        return Err(Error::new(ErrorKind::ConfigurationMismatch, why));
    }
    if channel.expiry.map(|expiry| expiry.begun(0)) != expiry {
        return Err(Error::new(
            ErrorKind::ConfigurationMismatch,
            "the channel exists with another Stream-TTL or Stream-Expires-At: send the same, or delete it first",
        ));
    }
    Ok(())
}

fn created(status: StatusCode, channel: &Channel, location: &str) -> Reply {
    let mut reply = reply(status, "");
    set(&mut reply, header::LOCATION, location);
    channel.set_configuration(&mut reply);
    reply
}

#[cfg(test)]
mod tests {
    use super::super::change::{ChangeDecision, decide_change};
    use super::*;
    use crate::policy::Creation;
    use crate::publish::Rate;
    use crate::request::Change;
    use crate::settings::Settings;

    const NOW: Moment = Moment { now_ms: 5_000, entropy: 0, last_epoch: 0 };

    #[test]
    fn the_first_content_of_a_channel_counts_for_the_rate_as_any_other() {
        let policy = Policy {
            rate: Some(Rate { events: 2, per_ms: 1_000 }),
            ..Policy::new(Creation::OnPut, &Settings::default())
        };
        let created = |closed, body: &[u8]| {
            let create = Change::Create(Create {
                content_type: Some(ContentType::json()),
                closed,
                ..Create::default()
            });
            let tallies = create.tallies(&Grant::default(), &policy);
            match decide_change(&create, &Grant::default(), body, None, &tallies, &policy, NOW) {
                Ok(ChangeDecision::Write(Write::Commit(commit, _))) => Ok(commit
                    .tallies
                    .iter()
                    .map(|(_, state)| state.busy_until_ms)
                    .collect::<Vec<_>>()),
                other => Err(other.map(|_| ()).unwrap_err().kind()),
            }
        };
        assert_eq!(created(false, b"[1,2]"), Ok(vec![6_000]));
        assert_eq!(created(false, b"[1,2,3]"), Err(ErrorKind::BatchTooLarge));
        assert_eq!(created(true, b"[1,2,3]"), Ok(vec![]));
        assert_eq!(created(false, b""), Ok(vec![]));
    }
}
