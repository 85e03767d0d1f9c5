//! Requests for the snapshot of a document (`YJS-PROTOCOL.md` of `y-durable-streams`).

use form_urlencoded::parse;
use serde::{Deserialize, Serialize};

use super::transport::Transport;
use crate::error::Result;
use crate::http::RequestHead;

/// The end of a snapshot's name.
const SNAPSHOT: &str = "_snapshot";

/// A read of a document's snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotRead {
    /// `GET ?offset=snapshot`: where to begin.
    Find,
    /// `GET ?offset=…_snapshot`: all events up to a position, as one update.
    Named {
        /// The value of `offset`.
        name: String,
    },
}

impl SnapshotRead {
    /// What is read, if the request is for a snapshot.
    pub(crate) fn parse(head: &RequestHead<'_>) -> Result<Option<SnapshotRead>> {
        if head.method != "GET" || Transport::of(head)? != Transport::Poll {
            return Ok(None);
        }
        let offset = parse(head.query.as_bytes()).find(|(name, _)| name == "offset");
        Ok(match offset {
            Some((_, offset)) if offset == SNAPSHOT[1..] => Some(SnapshotRead::Find),
            Some((_, name)) if name.ends_with(SNAPSHOT) => {
                Some(SnapshotRead::Named { name: name.into_owned() })
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_of_its_own_kind_asks_for_the_snapshot() {
        let parsed = |query: &str| {
            let head = RequestHead {
                method: "GET",
                url: "http://a/b",
                path: "/b",
                query,
                headers: &|_| None,
            };
            SnapshotRead::parse(&head).unwrap()
        };
        assert_eq!(parsed("offset=snapshot"), Some(SnapshotRead::Find));
        let name = "000000000001_00000000000003_snapshot";
        assert_eq!(
            parsed(&format!("offset={name}")),
            Some(SnapshotRead::Named { name: name.into() })
        );
        for query in ["", "offset=-1", "offset=snapshots", "offset=snapshot&live=long-poll"] {
            assert_eq!(parsed(query), None, "{query}");
        }
    }
}
