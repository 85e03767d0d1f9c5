//! Erasing one event: its data is removed, its offset stays, and live readers are notified.

use http::{StatusCode, header};

use super::commit::{Commit, Write};
use super::moment::Moment;
use crate::channel::{Channel, Event, Offset, Row, SnapshotHead, SnapshotUse};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::http::headers::reply;
use crate::policy::Policy;

/// An erasure that needs its event: read the event from the store and continue with
/// [`ErasePlan::decide`].
#[derive(Clone, Debug)]
pub struct ErasePlan {
    /// Number of the event.
    pub seq: u64,
    by: Option<String>,
    offset: Offset,
    tombstone: fn(Offset) -> Vec<u8>,
}

/// An event as the store holds it, with its publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authored {
    /// Its data.
    pub data: Vec<u8>,
    /// Id of the producer that appended it, if any.
    pub producer: Option<String>,
}

/// Decides whether the event may be read for it.
pub(crate) fn erase(
    offset: Offset,
    by: Option<&String>,
    channel: Option<&Channel>,
    policy: &Policy,
) -> Result<ErasePlan> {
    let tombstone = policy.tombstone.ok_or_else(|| {
        // Only the address with `offset=` names the event.
        Error::new(ErrorKind::MethodNotAllowed, "this function does not erase single events")
            .with_header(header::ALLOW, "GET, HEAD, POST, PUT, OPTIONS")
    })?;
    let channel = channel.ok_or_else(not_found)?;
    let present = channel.present(offset);
    if present.epoch != channel.epoch || !(channel.first..=channel.tail).contains(&present.seq) {
        return Err(not_found());
    }
    Ok(ErasePlan { seq: present.seq, by: by.cloned(), offset, tombstone })
}

impl ErasePlan {
    /// Replaces the event by its tombstone and appends the tombstone, so that readers that have the
    /// event are notified. A finished channel gets no append: its readers have left. A tombstone
    /// stays as it is, also the appended one: readers that have not seen it are still to be notified.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EventNotFound`] without the event; [`ErrorKind::AccessDenied`] for a client
    /// that neither published it nor manages the channel.
    pub fn decide(
        self,
        channel: &Channel,
        event: Option<Authored>,
        moment: Moment,
    ) -> Result<Write> {
        let Authored { data, producer } = event.ok_or_else(not_found)?;
        if self.by.is_some() && self.by != producer {
            return Err(Error::new(
                ErrorKind::AccessDenied,
                "you may not erase this event: send the Producer-Id that published it, or a credential that may manage the channel",
            ));
        }
        let tombstone = (self.tombstone)(self.offset);
        if is_tombstone(&data, &tombstone, &self) {
            return Ok(Write::Nothing(erased(channel)));
        }
        let mut channel = channel.clone();
        channel.snapshot = snapshot_without(&channel, self.seq)?;
        channel.revision += 1;
        let mut rows = Vec::new();
        if !channel.closed {
            channel.tail += 1;
            channel.total += tombstone.len() as u64;
            rows.push(Row {
                event: Event { seq: channel.tail, data: tombstone.clone() },
                at_ms: moment.now_ms,
                total: channel.total,
            });
        }
        let reply = erased(&channel);
        let erased = Some(Event { seq: self.seq, data: tombstone });
        let commit = Commit {
            channel,
            rows,
            is_channel_changed: true,
            is_new: false,
            producer: None,
            tallies: Vec::new(),
            forgetting: None,
            push_due_ms: None,
            erased,
            is_placeable: false,
        };
        Ok(Write::Commit(Box::new(commit), reply))
    }
}

/// Whether the event is the tombstone of any event, given its own: they differ in the offset that
/// they name.
fn is_tombstone(data: &[u8], own: &[u8], plan: &ErasePlan) -> bool {
    let name = plan.offset.to_string();
    let Some(at) = own.windows(name.len()).position(|part| part == name.as_bytes()) else {
        return data == own;
    };
    let named = data.get(at..at + name.len()).and_then(|named| str::from_utf8(named).ok());
    named
        .and_then(|named| named.parse().ok())
        .is_some_and(|offset| (plan.tombstone)(offset) == data)
}

/// The channel's newest snapshot once this event is erased. Snapshots that cover it are removed, and
/// the next compaction makes a new one from the log; where the log no longer has what they cover,
/// the event stays.
fn snapshot_without(channel: &Channel, seq: u64) -> Result<Option<SnapshotHead>> {
    let Some(head) = channel.snapshot.filter(|head| seq <= head.seq) else {
        return Ok(channel.snapshot);
    };
    if head.stands_for == SnapshotUse::Past && channel.first > 1 {
        return Err(Error::new(
            ErrorKind::NotSupported,
            "the event is part of a snapshot that stands for events no longer kept: delete the whole channel",
        ));
    }
    Ok(None)
}

fn not_found() -> Error {
    Error::new(ErrorKind::EventNotFound, "the channel has no event at this offset")
}

fn erased(channel: &Channel) -> Reply {
    let mut reply = reply(StatusCode::NO_CONTENT, "");
    channel.tail_offset().set(&mut reply);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ContentType;
    use crate::policy::Creation;
    use crate::settings::Settings;

    const NOW: Moment = Moment { now_ms: 5_000, entropy: 0, last_epoch: 0 };

    fn policy() -> Policy {
        let tombstone: fn(Offset) -> Vec<u8> = |offset| format!("\"{offset} is gone\"").into();
        Policy {
            tombstone: Some(tombstone),
            ..Policy::new(Creation::OnPublish(ContentType::json()), &Settings::default())
        }
    }

    fn channel() -> Channel {
        Channel { first: 3, tail: 7, total: 100, ..Channel::new(70, ContentType::json()) }
    }

    fn erase_as(by: Option<&str>, seq: u64, channel: &Channel, event: Authored) -> Result<Write> {
        erase(channel.offset(seq), by.map(String::from).as_ref(), Some(channel), &policy())?.decide(
            channel,
            Some(event),
            NOW,
        )
    }

    fn by(producer: Option<&str>) -> Authored {
        Authored { data: b"\"secret\"".to_vec(), producer: producer.map(Into::into) }
    }

    #[test]
    fn puts_the_tombstone_in_its_place_and_at_the_tail() {
        let Ok(Write::Commit(commit, reply)) = erase_as(Some("p"), 4, &channel(), by(Some("p")))
        else {
            panic!("refused")
        };
        let tombstone = b"\"000000000046_00000000000004 is gone\"".to_vec();
        assert_eq!(commit.erased, Some(Event { seq: 4, data: tombstone.clone() }));
        assert_eq!(
            commit.rows,
            [Row { event: Event { seq: 8, data: tombstone }, at_ms: 5_000, total: 137 }]
        );
        assert_eq!(commit.channel, Channel { tail: 8, total: 137, revision: 1, ..channel() });
        assert_eq!(reply.headers()["stream-next-offset"], "000000000046_00000000000008");
    }

    #[test]
    fn changes_nothing_when_it_is_erased_already() {
        let done =
            Authored { data: b"\"000000000046_00000000000004 is gone\"".to_vec(), producer: None };
        assert!(
            matches!(erase_as(None, 4, &channel(), done), Ok(Write::Nothing(reply)) if reply.status() == StatusCode::NO_CONTENT)
        );
    }

    #[test]
    fn a_tombstone_that_notifies_readers_stays() {
        let changes = |data: &str| {
            let event = Authored { data: data.as_bytes().to_vec(), producer: None };
            matches!(erase_as(None, 7, &channel(), event), Ok(Write::Commit(..)))
        };
        assert!(!changes("\"000000000046_00000000000004 is gone\""));
        for event in [
            "\"000000000046_00000000000004 is here\"",
            "\"",
            "\"xxxx00000046_00000000000004 is gone\"",
        ] {
            assert!(changes(event), "{event}");
        }
    }

    #[test]
    fn a_finished_channel_is_erased_from_without_an_event_more() {
        let finished = Channel { closed: true, ..channel() };
        let Ok(Write::Commit(commit, _)) = erase_as(None, 4, &finished, by(None)) else {
            panic!("refused")
        };
        assert_eq!((commit.rows.len(), commit.channel.tail, commit.channel.revision), (0, 7, 1));
    }

    #[test]
    fn takes_every_snapshot_of_the_event_along_or_stays() {
        let snapshot =
            |seq, stands_for| Some(SnapshotHead { seq, total: seq * 10, bytes: 9, stands_for });
        let erased = |first, snapshot| {
            let channel = Channel { first, snapshot, ..channel() };
            match erase_as(None, 4, &channel, by(None)) {
                Ok(Write::Commit(commit, _)) => {
                    Ok((commit.drops_snapshots(), commit.channel.snapshot))
                }
                other => Err(other.unwrap_err().kind()),
            }
        };
        for stands_for in [SnapshotUse::Past, SnapshotUse::Latest] {
            let before = snapshot(3, stands_for);
            assert_eq!(erased(3, before), Ok((false, before)));
            assert_eq!(erased(1, snapshot(4, stands_for)), Ok((true, None)));
        }
        assert_eq!(erased(3, snapshot(6, SnapshotUse::Latest)), Ok((true, None)));
        assert_eq!(erased(3, snapshot(6, SnapshotUse::Past)), Err(ErrorKind::NotSupported));
    }

    #[test]
    fn only_its_producer_or_who_manages_the_channel_erases_an_event() {
        let denied = |by_whom, event| {
            erase_as(by_whom, 4, &channel(), event).map_err(|error| error.kind()).err()
        };
        assert_eq!(denied(Some("q"), by(Some("p"))), Some(ErrorKind::AccessDenied));
        assert_eq!(denied(Some("q"), by(None)), Some(ErrorKind::AccessDenied));
        assert_eq!(denied(None, by(Some("p"))), None);
    }

    #[test]
    fn knows_what_is_no_event() {
        let found = |epoch, seq| {
            erase(Offset { epoch, seq }, None, Some(&channel()), &policy())
                .map_err(|error| error.kind())
                .err()
        };
        assert_eq!([found(70, 3), found(70, 7)], [None, None]);
        for (epoch, seq) in [(70, 2), (70, 8), (69, 5), (0, 0)] {
            assert_eq!(found(epoch, seq), Some(ErrorKind::EventNotFound), "{epoch} {seq}");
        }
        assert_eq!(
            erase(Offset::BEGINNING, None, None, &policy()).unwrap_err().kind(),
            ErrorKind::EventNotFound
        );
        let without = Policy { tombstone: None, ..policy() };
        assert_eq!(
            erase(channel().offset(4), None, Some(&channel()), &without).unwrap_err().kind(),
            ErrorKind::MethodNotAllowed
        );
    }
}
