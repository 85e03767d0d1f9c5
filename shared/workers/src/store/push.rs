//! Subscriptions of Web Push.

use tidewire_core::{PUSH_PAGE_EVENTS, PushEvent, PushPage, PushRow};
use worker::{Result, SqlStorageValue};

use super::rows::{bytes, integer, number, optional, optional_text};
use super::{Store, sql};

impl Store {
    /// Whether the channel has, or had, a subscription.
    pub(crate) fn has_push(&self) -> bool {
        self.has_push.get()
    }

    /// All subscriptions.
    pub(crate) fn push_rows(&self) -> Result<Vec<PushRow>> {
        if !self.has_push.get() {
            return Ok(Vec::new());
        }
        let rows = self.sql.exec(sql::PUSH_ROWS, None)?;
        rows.raw().map(|row| row.map(push_row)).collect()
    }

    /// When one is due or ends next, in milliseconds since 1970.
    pub(crate) fn next_push_ms(&self) -> Result<Option<u64>> {
        if !self.has_push.get() {
            return Ok(None);
        }
        let row = self.first(sql::NEXT_PUSH, vec![])?;
        Ok(row.and_then(|row| integer(row.into_iter().next()).ok()))
    }

    /// Adds or replaces one; the first creates the table.
    pub(crate) fn put_push(&self, row: PushRow) -> Result<()> {
        self.sql.exec(sql::PUSH, None)?;
        self.has_push.set(true);
        let PushRow { id, due_ms, until_ms, data } = row;
        let values = vec![id.into(), optional(due_ms), optional(until_ms), data.into()];
        self.sql.exec(sql::PUT_PUSH, values)?;
        Ok(())
    }

    /// Stores how far a delivery is, if the subscription still exists.
    pub(crate) fn save_push(&self, row: PushRow) -> Result<()> {
        if self.has_push.get() {
            let values = vec![optional(row.due_ms), row.data.into(), row.id.into()];
            self.sql.exec(sql::SAVE_PUSH, values)?;
        }
        Ok(())
    }

    pub(crate) fn remove_push(&self, id: String) -> Result<()> {
        if self.has_push.get() {
            self.sql.exec(sql::REMOVE_PUSH, vec![id.into()])?;
        }
        Ok(())
    }

    /// Removes those that have ended.
    pub(crate) fn prune_push(&self, now_ms: u64) -> Result<()> {
        if self.has_push.get() {
            self.sql.exec(sql::FORGET_PUSH, vec![number(now_ms)])?;
        }
        Ok(())
    }

    /// Events after a position, for a channel with this epoch and tail.
    pub(crate) fn push_page(&self, epoch: u64, tail: u64, after: u64) -> Result<PushPage> {
        if after >= tail {
            return Ok(PushPage { epoch, tail, events: Vec::new() });
        }
        let values = vec![number(after), number(PUSH_PAGE_EVENTS)];
        let cursor = self.sql.exec(sql::PUSH_PAGE, values)?;
        let events = cursor.raw().map(|row| {
            let mut row = row?.into_iter();
            Ok(PushEvent {
                seq: integer(row.next())?,
                at_ms: integer(row.next())?,
                data: bytes(row.next())?,
            })
        });
        Ok(PushPage { epoch, tail, events: events.collect::<Result<_>>()? })
    }
}

fn push_row(row: Vec<SqlStorageValue>) -> PushRow {
    let mut row = row.into_iter();
    PushRow {
        id: optional_text(row.next()).unwrap_or_default(),
        due_ms: integer(row.next()).ok(),
        until_ms: integer(row.next()).ok(),
        data: optional_text(row.next()).unwrap_or_default(),
    }
}
