//! Decides the reads of a shared document that other channels do not have: its snapshot by name, and a
//! list of versions as fine as its events.

use http::{StatusCode, header};
use serde::Serialize;

use super::existing::existing;
use crate::channel::{Channel, Offset, RowSize, Version};
use crate::error::{Error, ErrorKind, Result};
use crate::http::headers::{reply, set};
use crate::http::{Reply, json};
use crate::policy::Policy;
use crate::request::SnapshotRead;

/// Most versions in the list: a slider has no more steps.
const MAX_VERSIONS: usize = 200;

/// The next step of an adapter that reads a snapshot.
#[derive(Debug)]
pub enum SnapshotDecision {
    /// Answer.
    Reply(Reply),
    /// Answer with the [version](crate::decide_version) at this offset.
    Version(Offset),
}

/// Decides a read of a document's snapshot.
///
/// # Errors
///
/// [`ErrorKind::ChannelNotFound`], [`ErrorKind::SnapshotNotFound`].
pub fn decide_snapshot(
    asked: &SnapshotRead,
    channel: Option<&Channel>,
    policy: &Policy,
) -> Result<SnapshotDecision> {
    let channel = existing(channel, policy)?;
    match asked {
        SnapshotRead::Find => Ok(SnapshotDecision::Reply(found(&channel))),
        SnapshotRead::Named { name } => {
            match channel.past().filter(|seq| named(&channel, *seq) == *name) {
                Some(seq) => Ok(SnapshotDecision::Version(channel.offset(seq))),
                None => Err(Error::new(
                    ErrorKind::SnapshotNotFound,
                    "the document has no snapshot of this name: ask again with offset=snapshot",
                )),
            }
        }
    }
}

/// Snapshots are named by the position before their last event.
fn named(channel: &Channel, seq: u64) -> String {
    format!("{}_snapshot", channel.offset(seq - 1))
}

fn found(channel: &Channel) -> Reply {
    let mut reply = reply(StatusCode::TEMPORARY_REDIRECT, "");
    let offset = channel.past().map_or_else(|| "-1".into(), |seq| named(channel, seq));
    // Relative, so that it holds under any prefix that a proxy removes.
    set(&mut reply, header::LOCATION, &format!("?offset={offset}"));
    set(&mut reply, header::CACHE_CONTROL, "private, max-age=5");
    reply
}

/// A version in the list.
#[derive(Serialize)]
struct Listed {
    offset: String,
    /// When its last event was appended or its snapshot made, in milliseconds since 1970.
    at: u64,
    /// Bytes of its snapshot, or of all events up to it.
    bytes: u64,
}

/// The list of versions, the oldest first, of the snapshots that are kept and the sizes of all
/// events. Of many versions it has some, evenly spread, and always the newest.
pub fn document_versions(channel: &Channel, kept: &[Version], sizes: &[RowSize]) -> Reply {
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
    json(serde_json::to_vec(&versions).unwrap_or_default())
}

/// Whether all events between a snapshot and the version are kept.
fn is_readable(channel: &Channel, kept: &[Version], seq: u64) -> bool {
    let base = kept.iter().map(|version| version.seq).filter(|base| *base <= seq).max();
    let base = base.unwrap_or(0);
    base == seq || base + 1 >= channel.first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{SnapshotHead, SnapshotUse};
    use crate::http::ContentType;
    use crate::policy::Creation;
    use crate::settings::Settings;

    /// With snapshots of these numbers.
    fn channel(first: u64, tail: u64, snapshots: &[u64]) -> (Channel, Vec<Version>) {
        let head = |seq: &u64| SnapshotHead {
            seq: *seq,
            total: *seq,
            bytes: 1,
            stands_for: SnapshotUse::Past,
        };
        let kept = snapshots.iter().map(|seq| Version { seq: *seq, at_ms: 500 + seq, bytes: 1 });
        let channel = Channel {
            first,
            tail,
            total: tail,
            snapshot: snapshots.last().map(head),
            ..Channel::new(1, ContentType::octet_stream())
        };
        (channel, kept.collect())
    }

    #[test]
    fn the_newest_snapshot_is_found_and_read_by_its_name() {
        let policy = Policy::new(Creation::OnPut, &Settings::default());
        let read = |asked, snapshots: &[u64]| {
            let (channel, _) = channel(1, 9, snapshots);
            match decide_snapshot(&asked, Some(&channel), &policy) {
                Ok(SnapshotDecision::Reply(reply)) => {
                    reply.headers()[header::LOCATION].to_str().unwrap().to_owned()
                }
                Ok(SnapshotDecision::Version(offset)) => offset.to_string(),
                Err(error) => error.kind().code().into(),
            }
        };
        let (four, seven) =
            ("000000000001_00000000000003_snapshot", "000000000001_00000000000006_snapshot");
        assert_eq!(read(SnapshotRead::Find, &[]), "?offset=-1");
        assert_eq!(read(SnapshotRead::Find, &[4]), format!("?offset={four}"));
        assert_eq!(read(SnapshotRead::Find, &[4, 7]), format!("?offset={seven}"));
        let named = |name: &str| SnapshotRead::Named { name: name.into() };
        assert_eq!(read(named(four), &[4]), "000000000001_00000000000004");
        assert_eq!(read(named(seven), &[4, 7]), "000000000001_00000000000007");
        for (name, snapshots) in [(four, &[][..]), (four, &[4, 7]), ("9_9_snapshot", &[4, 7])] {
            assert_eq!(read(named(name), snapshots), "snapshot-not-found", "{name}");
        }
    }

    #[test]
    fn the_list_has_what_can_be_read_some_of_many_and_always_the_newest() {
        let listed = |(channel, kept): &(Channel, Vec<Version>)| {
            let sizes: Vec<_> = (channel.first..=channel.tail)
                .map(|seq| RowSize { seq, at_ms: 1_000 + seq, total: 10 * seq })
                .collect();
            let body = document_versions(channel, kept, &sizes).into_body();
            serde_json::from_slice::<Vec<serde_json::Value>>(&body).unwrap()
        };
        let times = |channel| -> Vec<u64> {
            listed(&channel).iter().map(|version| version["at"].as_u64().unwrap()).collect()
        };
        assert!(times(channel(1, 0, &[])).is_empty());
        assert_eq!(times(channel(1, 2, &[])), [1_001, 1_002]);
        assert_eq!(times(channel(6, 9, &[2, 4, 7])), [502, 504, 1_007, 1_008, 1_009]);
        assert_eq!(times(channel(6, 9, &[5, 7])), [505, 1_006, 1_007, 1_008, 1_009]);
        let newest =
            serde_json::json!({"offset": "000000000001_00000000000002", "at": 1_002, "bytes": 20});
        assert_eq!(listed(&channel(1, 2, &[])).last(), Some(&newest));
        let many = times(channel(1, 1_001, &[]));
        assert_eq!((many.len(), many.last()), (MAX_VERSIONS, Some(&2_001)));
        assert!(many.is_sorted());
    }
}
