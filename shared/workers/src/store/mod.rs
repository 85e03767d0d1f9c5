//! The store of one channel: its object's SQLite. Every statement is in `sql.rs`.

mod log;
mod members;
mod page;
mod push;
mod revocations;
mod rows;
mod snapshots;
mod sql;
mod tenant;

use std::cell::Cell;
use std::time::Duration;

use tidewire_core::{Channel, Expiry, SnapshotUse};
use wasm_bindgen::prelude::*;
use worker::{Error, Result, SqlCursor, SqlStorage, SqlStorageValue, Storage};

use self::rows::{content_type, integer, optional_text};
use crate::clock::now_ms;

/// Longest time until an alarm. The platform's clock ends in the year 2262; an alarm that is early
/// is set again.
const LONGEST_SLEEP: Duration = Duration::from_secs(365 * 86_400);

#[wasm_bindgen]
extern "C" {
    type Transactional;
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &Transactional,
        work: &mut dyn FnMut() -> Result<(), JsValue>,
    ) -> Result<JsValue, JsValue>;
}

/// The store of one channel. Synchronous, like the platform's SQLite: between two calls nothing
/// else runs.
pub(crate) struct Store {
    storage: Storage,
    sql: SqlStorage,
    has_tables: Cell<bool>,
    has_producers: Cell<bool>,
    /// Unknown until the members are first read.
    has_presence: Cell<Option<bool>>,
    has_revocations: Cell<bool>,
    has_snapshots: Cell<bool>,
    has_push: Cell<bool>,
    /// What the snapshots of the function stand for; `None` if it has none.
    stands_for: Option<SnapshotUse>,
    /// Whether the function has Web Push.
    pushes: bool,
}

impl Store {
    pub(crate) fn new(storage: Storage, stands_for: Option<SnapshotUse>, pushes: bool) -> Store {
        let sql = storage.sql();
        let [has_tables, has_producers, has_revocations, has_snapshots, has_push] =
            [const { Cell::new(false) }; 5];
        Store {
            sql,
            storage,
            has_tables,
            has_producers,
            has_presence: Cell::new(None),
            has_revocations,
            has_snapshots,
            has_push,
            stands_for,
            pushes,
        }
    }

    /// The channel, or `None` without one. Reads a handful of rows and, except for an upgrade,
    /// writes none: a request for an unknown name must cost nothing.
    pub(crate) fn load(&self) -> Result<Option<Channel>> {
        self.has_tables.set(self.has_table("channel")?);
        self.has_revocations.set(self.has_table("revocations")?);
        self.has_push.set(self.pushes && self.has_table("push")?);
        if !self.has_tables.get() {
            return Ok(None);
        }
        self.has_producers.set(self.has_table("producers")?);
        self.has_snapshots.set(self.stands_for.is_some() && self.has_table("snapshots")?);
        let Some(version) = self.first(sql::VERSION, vec![])? else {
            return Ok(None);
        };
        match integer(version.into_iter().next())? {
            1 => self.upgrade()?,
            sql::SCHEMA_VERSION => {}
            version => {
                return Err(Error::RustError(format!(
                    "the store has schema {version}, this code supports at most {}; nothing was changed",
                    sql::SCHEMA_VERSION
                )));
            }
        }
        let Some(row) = self.first(sql::CHANNEL, vec![])? else {
            return Ok(None);
        };
        let mut row = row.into_iter();
        let mut channel = Channel::new(integer(row.next())?, content_type(row.next())?);
        channel.closed = integer(row.next())? != 0;
        channel.stream_seq = optional_text(row.next());
        channel.tail = integer(row.next())?;
        channel.total = integer(row.next())?;
        channel.revision = integer(row.next())?;
        channel.expiry = Expiry::from_columns(
            integer(row.next()).ok(),
            integer(row.next()).ok(),
            integer(row.next()).ok(),
        );
        if let Some(row) = self.first(sql::NEWEST, vec![])? {
            let mut row = row.into_iter();
            channel.tail = integer(row.next())?;
            channel.total = integer(row.next())?;
        }
        channel.snapshot = self.snapshot_head()?;
        channel.first = channel.tail + 1;
        channel.dropped = channel.total;
        if let Some(row) = self.first(sql::OLDEST, vec![])? {
            let mut row = row.into_iter();
            channel.first = integer(row.next())?;
            channel.first_at_ms = integer(row.next())?;
            channel.dropped = integer(row.next())?;
        }
        Ok(Some(channel))
    }

    /// Sets the object's alarm. Called in the turn that writes something, it is stored with it or
    /// not at all.
    pub(crate) async fn set_alarm_at(&self, at_ms: u64) -> Result<()> {
        self.storage
            .set_alarm(Duration::from_millis(at_ms.saturating_sub(now_ms())).min(LONGEST_SLEEP))
            .await
    }

    fn has_table(&self, name: &str) -> Result<bool> {
        Ok(self.first(sql::TABLE_EXISTS, vec![name.into()])?.is_some())
    }

    /// Whether the stored rows are useless without a channel: those of an expired channel, or no
    /// rows that are still in force.
    pub(crate) fn is_over(&self) -> Result<bool> {
        Ok(self.has_tables.get()
            || self.leases()?.is_empty()
                && self.revocations()?.is_empty()
                && self.push_rows()?.is_empty())
    }

    /// Removes everything, so that nothing is left to pay for. With `keeps_revocations` it keeps
    /// them: creating a channel again does not restore access.
    pub(crate) async fn delete(&self, keeps_revocations: bool) -> Result<()> {
        self.has_tables.set(false);
        self.has_producers.set(false);
        self.has_presence.set(None);
        self.has_snapshots.set(false);
        self.has_push.set(false);
        if keeps_revocations {
            return self.atomically(|| {
                sql::DROP_CHANNEL
                    .iter()
                    .try_for_each(|table| self.sql.exec(table, None).map(|_| ()))
            });
        }
        self.has_revocations.set(false);
        self.storage.delete_all().await
    }

    fn upgrade(&self) -> Result<()> {
        self.atomically(|| {
            self.sql.exec(sql::UPGRADE, None)?;
            if self.has_producers.get() {
                self.sql.exec(sql::UPGRADE_PRODUCERS, None)?;
            }
            Ok(())
        })
    }

    /// Runs writes in one transaction that a fault rolls back; the `worker` crate does not bind
    /// `transactionSync`.
    fn atomically(&self, work: impl Fn() -> Result<()>) -> Result<()> {
        let storage: &JsValue = self.storage.as_raw().as_ref();
        let mut work = || work().map_err(|error| JsValue::from_str(&error.to_string()));
        storage.unchecked_ref::<Transactional>().transaction_sync(&mut work)?;
        Ok(())
    }

    /// The first row, if any. The platform's own `one()` throws through wasm on an empty result.
    fn first(
        &self,
        query: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Option<Vec<SqlStorageValue>>> {
        let cursor: SqlCursor = self.sql.exec(query, values)?;
        cursor.raw().next().transpose()
    }
}
