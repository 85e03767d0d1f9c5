//! Decides the read that only a shared document has: its snapshot, by name.

use http::{StatusCode, header};

use super::existing::existing;
use crate::channel::{Channel, Offset};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::http::headers::{reply, set};
use crate::policy::Policy;
use crate::request::SnapshotRead;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{SnapshotHead, SnapshotUse};
    use crate::http::ContentType;
    use crate::policy::Creation;
    use crate::settings::Settings;

    /// With snapshots of these numbers.
    fn channel(tail: u64, snapshots: &[u64]) -> Channel {
        let head = |seq: &u64| SnapshotHead {
            seq: *seq,
            total: *seq,
            bytes: 1,
            stands_for: SnapshotUse::Past,
        };
        Channel {
            tail,
            total: tail,
            snapshot: snapshots.last().map(head),
            ..Channel::new(1, ContentType::octet_stream())
        }
    }

    #[test]
    fn the_newest_snapshot_is_found_and_read_by_its_name() {
        let policy = Policy::new(Creation::OnPut, &Settings::default());
        let read = |asked, snapshots: &[u64]| match decide_snapshot(
            &asked,
            Some(&channel(9, snapshots)),
            &policy,
        ) {
            Ok(SnapshotDecision::Reply(reply)) => {
                reply.headers()[header::LOCATION].to_str().unwrap().to_owned()
            }
            Ok(SnapshotDecision::Version(offset)) => offset.to_string(),
            Err(error) => error.kind().code().into(),
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
}
