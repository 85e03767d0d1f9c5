//! The publishers that a channel must remember: producers by their last append, and every publisher
//! with a rate by how busy it keeps the channel.

use super::producer::{Producer, ProducerState};
use super::rate::Rate;
use crate::access::Grant;
use crate::channel::Channel;
use crate::error::Result;

/// The channel's memory of one publisher, under one id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Its id: a producer's own, or an id with a control character, which no producer can have.
    pub id: String,
    /// The state so far; the adapter reads it from the store.
    pub known: Option<ProducerState>,
    rate: Option<(Rate, &'static str)>,
}

/// Prefixes of the ids of clients with a credential, before their subject or the id of their
/// ticket.
const SUBJECT: &str = "\u{1}s";
const TICKET: &str = "\u{1}t";
/// The id of all clients without a credential together.
const ANONYMOUS: &str = "\u{1}";
/// The id of clients that have neither a credential nor a `Producer-Id`.
const NAMELESS: &str = "";

impl Tally {
    /// The ids under which the channel remembers a publish: `rate` is each publisher's,
    /// `anonymous_rate` that of all clients without a credential.
    pub(crate) fn of(
        grant: &Grant,
        producer: Option<&Producer>,
        rate: Option<Rate>,
        anonymous_rate: Option<Rate>,
    ) -> Vec<Tally> {
        let keep = |id: String, rate: Option<Rate>, who| Tally {
            id,
            known: None,
            rate: rate.map(|rate| (rate, who)),
        };
        let identity = match (&grant.subject, &grant.ticket) {
            (Some(subject), _) => Some(format!("{SUBJECT}{subject}")),
            (None, Some(ticket)) => Some(format!("{TICKET}{ticket}")),
            (None, None) => None,
        };
        let producer = producer.map(|producer| producer.id.clone());
        let mut tallies = Vec::new();
        if let Some(identity) = identity {
            tallies.extend(rate.map(|_| keep(identity, rate, "you")));
            tallies.extend(producer.map(|id| keep(id, None, "")));
            return tallies;
        }
        let name = producer.or_else(|| rate.map(|_| NAMELESS.into()));
        tallies.extend(name.map(|id| keep(id, rate, "you")));
        tallies.extend(anonymous_rate.map(|_| {
            keep(ANONYMOUS.into(), anonymous_rate, "all clients without a credential together")
        }));
        tallies
    }

    /// The state of a producer.
    pub(crate) fn known(tallies: &[Tally], producer: &Producer) -> Option<ProducerState> {
        tallies.iter().find(|tally| tally.id == producer.id)?.known
    }

    /// The states to store after a publish of this many events.
    ///
    /// # Errors
    ///
    /// [`RateExceeded`](crate::ErrorKind::RateExceeded) and
    /// [`BatchTooLarge`](crate::ErrorKind::BatchTooLarge) of any rate among them.
    pub(crate) fn check_rate(
        tallies: &[Tally],
        producer: Option<&Producer>,
        events: u64,
        now_ms: u64,
    ) -> Result<Vec<(String, ProducerState)>> {
        let check = |tally: &Tally| {
            let busy_until_ms = match tally.rate {
                Some((rate, who)) => rate.check(who, tally.known, events, now_ms)?,
                None => now_ms,
            };
            let own = producer.filter(|producer| producer.id == tally.id);
            let state = own
                .map_or(ProducerState { busy_until_ms, ..ProducerState::default() }, |producer| {
                    producer.state(busy_until_ms)
                });
            Ok((tally.id.clone(), state))
        };
        tallies.iter().map(check).collect()
    }
}

/// Which tallies a channel forgets: each tab that ever published has one. A tally stays while its
/// publisher may still retry.
///
/// Tallies whose [`busy_until_ms`](ProducerState::busy_until_ms) is 0 are older than this field,
/// and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgetting {
    /// Forget every tally whose last publish was before this time, in milliseconds since 1970.
    pub idle_before_ms: u64,
    /// Of those whose last publish was before this time, forget the ones above
    /// [`Forgetting::most`], the longest idle first.
    pub crowded_before_ms: u64,
    /// Most tallies of a channel, unless more of them published recently.
    pub most: u64,
}

/// A producer that was away longer must begin a new epoch.
pub(crate) const IDLE_MS: u64 = 7 * 86_400_000;
/// How long a client may retry, however many others publish.
pub(crate) const RETRYING_MS: u64 = 3_600_000;
/// Reading this many takes a few milliseconds.
pub(crate) const MOST: u64 = 10_000;

impl Forgetting {
    /// The tallies to forget with an append of this many events, if the channel, as it is after
    /// them, is due for a search.
    pub(crate) fn due(channel: &Channel, events: u64, now_ms: u64) -> Option<Forgetting> {
        // The search reads them all.
        channel.is_due(events).then(|| Forgetting {
            idle_before_ms: now_ms.saturating_sub(IDLE_MS),
            crowded_before_ms: now_ms.saturating_sub(RETRYING_MS),
            most: MOST,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Rights;
    use crate::error::ErrorKind;
    use crate::http::ContentType;

    const ONE: Rate = Rate { events: 1, per_ms: 1_000 };
    const THREE: Rate = Rate { events: 3, per_ms: 1_000 };

    fn tallies(grant: &Grant, producer: Option<&Producer>) -> Vec<Tally> {
        Tally::of(grant, producer, Some(ONE), Some(THREE))
    }

    fn by(subject: Option<&str>, ticket: Option<&str>) -> Grant {
        Grant {
            rights: Rights::ALL,
            subject: subject.map(Into::into),
            ticket: ticket.map(Into::into),
            ..Grant::default()
        }
    }

    /// How many of ten publishes at one moment pass, each by another producer.
    fn passed(grant: &Grant) -> Result<usize, ErrorKind> {
        let mut kept: Vec<(String, ProducerState)> = Vec::new();
        for passed in 0..10 {
            let producer = Producer { id: format!("p{passed}"), epoch: 0, seq: 0 };
            let mut tallies = tallies(grant, Some(&producer));
            for tally in &mut tallies {
                tally.known = kept.iter().rfind(|(id, _)| *id == tally.id).map(|(_, state)| *state);
            }
            match Tally::check_rate(&tallies, Some(&producer), 1, 50_000) {
                Ok(states) => kept.extend(states),
                Err(error) if error.kind() == ErrorKind::RateExceeded => return Ok(passed),
                Err(error) => return Err(error.kind()),
            }
        }
        Ok(10)
    }

    #[test]
    fn nobody_gets_round_a_rate_by_another_producer_id() {
        assert_eq!(passed(&by(Some("ann"), None)), Ok(1));
        assert_eq!(passed(&by(None, Some("ticket"))), Ok(1));
        assert_eq!(passed(&by(None, None)), Ok(3));
    }

    #[test]
    fn the_anonymous_have_a_rate_each_and_one_together() {
        let ids = |grant: &Grant, producer: Option<&Producer>| {
            tallies(grant, producer).into_iter().map(|tally| tally.id).collect::<Vec<_>>()
        };
        let producer = Producer { id: "p".into(), epoch: 0, seq: 0 };
        assert_eq!(ids(&by(None, None), Some(&producer)), ["p", "\u{1}"]);
        assert_eq!(ids(&by(None, None), None), ["", "\u{1}"]);
        assert_eq!(ids(&by(Some("ann"), Some("ticket")), Some(&producer)), ["\u{1}sann", "p"]);
        assert!(Producer { id: "\u{1}sann".into(), ..producer }.validated().is_err());
    }

    #[test]
    fn looks_whom_to_forget_now_and_then() {
        let due = |tail, events| {
            Forgetting::due(
                &Channel { tail, ..Channel::new(1, ContentType::json()) },
                events,
                10 * IDLE_MS,
            )
            .is_some()
        };
        assert!(due(64, 1) && due(70, 10) && due(128, 64));
        assert!(!due(63, 1) && !due(65, 1) && !due(70, 6));
    }
}
