//! The snapshots of the channel, beside its log.

use tidewire_core::{Snapshot, SnapshotHead, Version};
use worker::{Result, SqlStorageValue};

use super::rows::{bytes, integer, number};
use super::{Store, sql};

impl Store {
    /// The newest snapshot, without its data.
    pub(super) fn snapshot_head(&self) -> Result<Option<SnapshotHead>> {
        let Some(stands_for) = self.stands_for.filter(|_| self.has_snapshots.get()) else {
            return Ok(None);
        };
        let Some(row) = self.first(sql::SNAPSHOT_HEAD, vec![])? else { return Ok(None) };
        let mut row = row.into_iter();
        Ok(Some(SnapshotHead {
            seq: integer(row.next())?,
            total: integer(row.next())?,
            bytes: integer(row.next())?,
            stands_for,
        }))
    }

    /// The data of a snapshot, if the channel has it.
    pub(crate) fn snapshot(&self, seq: u64) -> Result<Option<Vec<u8>>> {
        if !self.has_snapshots.get() {
            return Ok(None);
        }
        let mut data = None;
        for row in self.sql.exec(sql::SNAPSHOT, vec![number(seq)])?.raw() {
            data.get_or_insert_with(Vec::new).extend(bytes(row?.into_iter().next())?);
        }
        Ok(data)
    }

    /// The snapshots kept, oldest first.
    pub(crate) fn versions(&self) -> Result<Vec<Version>> {
        if !self.has_snapshots.get() {
            return Ok(Vec::new());
        }
        let rows = self.sql.exec(sql::VERSIONS, None)?;
        rows.raw()
            .map(|row| {
                let mut row = row?.into_iter();
                Ok(Version {
                    seq: integer(row.next())?,
                    at_ms: integer(row.next())?,
                    bytes: integer(row.next())?,
                })
            })
            .collect()
    }

    /// Stores a snapshot, and removes the oldest above the number that is kept.
    pub(crate) fn put_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        self.atomically(|| {
            if !self.has_snapshots.get() {
                self.sql.exec(sql::SNAPSHOTS, None)?;
            }
            let head = snapshot.head;
            for (part, data) in snapshot.parts() {
                let values = vec![
                    number(head.seq),
                    number(part),
                    number(snapshot.at_ms),
                    number(head.total),
                    number(head.bytes),
                    SqlStorageValue::Blob(data.to_vec()),
                ];
                self.sql.exec(sql::INSERT_SNAPSHOT, values)?;
            }
            self.sql.exec(sql::FORGET_SNAPSHOTS, vec![number(snapshot.most)])?;
            Ok(())
        })?;
        self.has_snapshots.set(true);
        Ok(())
    }
}
