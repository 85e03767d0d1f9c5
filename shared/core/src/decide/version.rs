//! The history of a channel whose snapshots stand for its past: its versions, and the state at each
//! offset kept.

use http::StatusCode;
use serde::Serialize;

use super::existing::not_found;
use crate::channel::{Channel, Offset, Page, PageLimit, RowSize, SnapshotUse, Version};
use crate::document::Bare;
use crate::error::{Error, ErrorKind, Result};
use crate::http::headers::{self, reply};
use crate::http::{Reply, json};
use crate::policy::{Compact, Policy};

/// Most versions in the list: a slider has no more steps.
const MAX_VERSIONS: usize = 200;

/// A version in the list.
#[derive(Serialize)]
struct Listed {
    offset: String,
    /// When its last event was appended or its snapshot made, in milliseconds since 1970.
    at: u64,
    /// Bytes of its snapshot, or of all events up to it.
    bytes: u64,
}

/// The list of versions, the oldest first, given the snapshots that are kept and the sizes of all
/// events. Of many versions it has some, evenly spread, and always the newest.
///
/// # Errors
///
/// [`ErrorKind::ChannelNotFound`]; [`ErrorKind::RouteNotFound`] without such snapshots.
pub fn decide_versions(
    channel: Option<&Channel>,
    policy: &Policy,
    kept: &[Version],
    sizes: &[RowSize],
) -> Result<Reply> {
    compact_of(policy)?;
    let channel = channel.ok_or_else(not_found)?;
    let snapshots = kept
        .iter()
        .filter(|version| version.seq < channel.first)
        .map(|version| (version.seq, version.at_ms, version.bytes));
    let rows = sizes.iter().map(|row| (row.seq, row.at_ms, row.total));
    let all: Vec<_> =
        snapshots.chain(rows).filter(|(seq, ..)| is_readable(channel, kept, *seq)).collect();
    let count = all.len().min(MAX_VERSIONS);
    let versions: Vec<_> = (1..=count)
        .filter_map(|step| all.get(step * all.len() / count - 1))
        .map(|(seq, at, bytes)| Listed {
            offset: channel.offset(*seq).to_string(),
            at: *at,
            bytes: *bytes,
        })
        .collect();
    // Texts and numbers only: serializing them cannot fail.
    Ok(json(serde_json::to_vec(&versions).unwrap_or_default()))
}

/// Whether all events between a snapshot and the version are kept.
fn is_readable(channel: &Channel, kept: &[Version], seq: u64) -> bool {
    let base = kept.iter().map(|version| version.seq).filter(|base| *base <= seq).max();
    let base = base.unwrap_or(0);
    base == seq || base + 1 >= channel.first
}

/// What to read for the state at an offset: the data of the snapshot [`base`](VersionPlan::base) and
/// a page of the events [`after`](VersionPlan::after) it within the [limit](VersionPlan::limit).
/// Continue with [`VersionPlan::reply`].
#[derive(Clone, Copy, Debug)]
pub struct VersionPlan {
    /// Number of the snapshot to begin with.
    pub base: Option<u64>,
    /// Number of the event after which to read.
    pub after: u64,
    /// How many events to read; retention bounds them.
    pub limit: PageLimit,
    seq: u64,
    compact: Compact,
    bare: Option<Bare>,
}

/// Decides a read of the state at an offset; without one, of the present.
///
/// # Errors
///
/// [`ErrorKind::ChannelNotFound`]; [`ErrorKind::RouteNotFound`] without snapshots that stand for the
/// past; [`ErrorKind::EventNotFound`] for an offset that the channel never had;
/// [`ErrorKind::OffsetGone`] if the events that make the difference are no longer kept.
pub fn decide_version(
    at: Option<Offset>,
    channel: Option<&Channel>,
    policy: &Policy,
    versions: &[Version],
) -> Result<VersionPlan> {
    let compact = compact_of(policy)?;
    let channel = channel.ok_or_else(not_found)?;
    let at = channel.present(at.unwrap_or(channel.tail_offset()));
    if at.epoch != channel.epoch || at.seq > channel.tail {
        return Err(Error::new(
            ErrorKind::EventNotFound,
            "the channel has no event at this offset: send one that this channel returned",
        ));
    }
    let base = versions.iter().map(|version| version.seq).filter(|seq| *seq <= at.seq).max();
    let after = base.unwrap_or(0);
    if after < at.seq && after + 1 < channel.first {
        return Err(Error::gone(at, channel.earliest()));
    }
    let limit = PageLimit { max_events: at.seq - after, max_bytes: u64::MAX };
    let bare = policy.documents.map(|documents| documents.bare);
    Ok(VersionPlan { base, after, limit, seq: at.seq, compact, bare })
}

impl VersionPlan {
    /// Whether events must be read.
    pub fn needs_events(&self) -> bool {
        self.after < self.seq
    }

    /// The answer with the state, as the data of one event.
    ///
    /// # Errors
    ///
    /// That of the function, and [`ErrorKind::Internal`] if the store no longer has what was asked
    /// for.
    pub fn reply(&self, channel: &Channel, base: Option<Vec<u8>>, page: &Page) -> Result<Reply> {
        let is_whole = page.events.len() as u64 == self.seq - self.after
            && page.events.first().is_none_or(|event| event.seq == self.after + 1);
        if !is_whole || base.is_some() != self.base.is_some() {
            return Err(Error::new(ErrorKind::Internal, "a version was removed during a read"));
        }
        let state = match base {
            Some(base) if page.events.is_empty() => base,
            base => (self.compact)(base.as_deref(), &page.events)?,
        };
        let state = match self.bare {
            Some(bare) => bare(&state)?,
            None => state,
        };
        let mut reply = reply(StatusCode::OK, state);
        headers::set_content_type(&mut reply, &channel.content_type);
        channel.offset(self.seq).set(&mut reply);
        Ok(reply)
    }
}

fn compact_of(policy: &Policy) -> Result<Compact> {
    policy
        .snapshots
        .filter(|snapshots| snapshots.stands_for() == SnapshotUse::Past)
        .and_then(|snapshots| snapshots.compact)
        .ok_or_else(|| {
            Error::new(ErrorKind::RouteNotFound, "channels of this function have no versions")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Event, SnapshotHead};
    use crate::http::ContentType;
    use crate::policy::Creation;
    use crate::settings::Settings;

    fn policy() -> Policy {
        let settings = Settings::default();
        Policy::new(Creation::OnPut, &settings).with_snapshots(
            |last, events| {
                let events = events.iter().map(|event| event.data.as_slice());
                Ok(last.into_iter().chain(events).collect::<Vec<_>>().concat())
            },
            &settings,
        )
    }

    const VERSIONS: [Version; 2] =
        [Version { seq: 2, at_ms: 20, bytes: 5 }, Version { seq: 6, at_ms: 60, bytes: 9 }];

    fn channel() -> Channel {
        let head = SnapshotHead { seq: 6, total: 60, bytes: 9, stands_for: SnapshotUse::Past };
        Channel {
            first: 5,
            tail: 8,
            total: 83,
            snapshot: Some(head),
            ..Channel::new(70, ContentType::octet_stream())
        }
    }

    #[test]
    fn the_list_has_what_can_be_read_some_of_many_and_always_the_newest() {
        let listed = |first: u64, tail: u64, snapshots: &[u64]| {
            let kept: Vec<_> = snapshots
                .iter()
                .map(|seq| Version { seq: *seq, at_ms: 500 + seq, bytes: 1 })
                .collect();
            let channel = Channel { first, tail, ..Channel::new(1, ContentType::octet_stream()) };
            let sizes: Vec<_> = (first..=tail)
                .map(|seq| RowSize { seq, at_ms: 1_000 + seq, total: 10 * seq })
                .collect();
            let reply = decide_versions(Some(&channel), &policy(), &kept, &sizes).unwrap();
            serde_json::from_slice::<Vec<serde_json::Value>>(&reply.into_body()).unwrap()
        };
        let times = |first, tail, snapshots: &[u64]| -> Vec<u64> {
            let versions = listed(first, tail, snapshots);
            versions.iter().map(|version| version["at"].as_u64().unwrap()).collect()
        };
        assert!(times(1, 0, &[]).is_empty());
        assert_eq!(times(1, 2, &[]), [1_001, 1_002]);
        assert_eq!(times(6, 9, &[2, 4, 7]), [502, 504, 1_007, 1_008, 1_009]);
        assert_eq!(times(6, 9, &[5, 7]), [505, 1_006, 1_007, 1_008, 1_009]);
        let newest =
            serde_json::json!({"offset": "000000000001_00000000000002", "at": 1_002, "bytes": 20});
        assert_eq!(listed(1, 2, &[]).last(), Some(&newest));
        let many = times(1, 1_001, &[]);
        assert_eq!((many.len(), many.last()), (MAX_VERSIONS, Some(&2_001)));
        assert!(many.is_sorted());
    }

    #[test]
    fn only_a_channel_with_such_snapshots_has_versions() {
        let refused = |channel, policy: &Policy| {
            decide_versions(channel, policy, &[], &[]).map_err(|error| error.kind()).unwrap_err()
        };
        assert_eq!(refused(None, &policy()), ErrorKind::ChannelNotFound);
        let without = Policy::new(Creation::OnPut, &Settings::default());
        assert_eq!(refused(Some(&channel()), &without), ErrorKind::RouteNotFound);
    }

    #[test]
    fn an_offset_is_answered_from_the_snapshot_before_it_and_the_events_between() {
        let at = |seq| {
            let plan =
                decide_version(Some(channel().offset(seq)), Some(&channel()), &policy(), &VERSIONS)
                    .map_err(|error| error.kind())?;
            let events = (plan.after + 1..=plan.after + plan.limit.max_events)
                .map(|seq| Event { seq, data: seq.to_string().into() })
                .collect();
            let base = plan.base.map(|base| format!("<{base}>").into_bytes());
            let reply = plan.reply(&channel(), base, &Page { after: plan.after, events }).unwrap();
            let offset = reply.headers()["stream-next-offset"].to_str().unwrap().to_owned();
            assert_eq!(offset, channel().offset(seq).to_string());
            Ok(String::from_utf8(reply.into_body()).unwrap())
        };
        assert_eq!(at(2).as_deref(), Ok("<2>"));
        assert_eq!(at(6).as_deref(), Ok("<6>"));
        assert_eq!(at(8).as_deref(), Ok("<6>78"));
        // Events 3 and 4 are gone, so nothing between the two versions can be had.
        assert_eq!([1, 3, 5].map(at), [(); 3].map(|()| Err(ErrorKind::OffsetGone)));
        assert_eq!(at(9), Err(ErrorKind::EventNotFound));
        let whole = Channel { first: 3, ..channel() };
        let plan =
            decide_version(Some(whole.offset(5)), Some(&whole), &policy(), &VERSIONS).unwrap();
        assert_eq!((plan.base, plan.after, plan.limit.max_events), (Some(2), 2, 3));
        let present = decide_version(None, Some(&channel()), &policy(), &VERSIONS).unwrap();
        assert_eq!((present.base, present.limit.max_events), (Some(6), 2));
        let empty = Page { after: 6, events: Vec::new() };
        assert_eq!(
            present.reply(&channel(), Some(vec![]), &empty).unwrap_err().kind(),
            ErrorKind::Internal
        );
    }
}
