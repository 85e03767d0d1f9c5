//! The log of one channel in its object's SQLite.

use std::cell::Cell;
use std::time::Duration;

use tidewire_core::{
    Authored, Channel, Commit, ContentType, Event, Expiry, Lease, Member, Page, PageLimit,
    ProducerState, Retention, Revocation, RowSize,
};
use wasm_bindgen::prelude::*;
use worker::{Error, Result, SqlCursor, SqlStorage, SqlStorageValue, Storage};

use crate::clock::now_ms;

/// Version of the tables below; a store of a newer version is refused, because this code cannot
/// know its form.
const SCHEMA_VERSION: u64 = 2;

/// One row of `channel`, and one row of `events` for each event kept. The newest event gives tail
/// and total, the oldest gives the dropped bytes. So an append writes only its events; `channel` is
/// written when something else changes, or when no event is left.
const SCHEMA: &str = "
CREATE TABLE channel (
    schema_version INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    closed INTEGER NOT NULL,
    stream_seq TEXT,
    tail INTEGER NOT NULL,
    total INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    ttl_s INTEGER,
    expires_at_ms INTEGER,
    touched_at_ms INTEGER
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    data BLOB NOT NULL,
    producer TEXT
);";

/// One row for each publisher that must be remembered, created with the first of them. Not subject
/// to retention: a late repetition must be recognised.
const PRODUCERS: &str = "
CREATE TABLE producers (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    busy_until_ms INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID";

/// Carries out a `Forgetting`. A producer without a time may still be active.
const FORGET: &str =
    "DELETE FROM producers WHERE busy_until_ms BETWEEN 1 AND ?1 OR busy_until_ms BETWEEN 1 AND ?2
    AND id IN (SELECT id FROM producers ORDER BY busy_until_ms DESC LIMIT -1 OFFSET ?3)";

/// From version 1 to 2; the rows stay where they are.
const UPGRADE: &str = "
ALTER TABLE channel ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN ttl_s INTEGER;
ALTER TABLE channel ADD COLUMN expires_at_ms INTEGER;
ALTER TABLE channel ADD COLUMN touched_at_ms INTEGER;
ALTER TABLE events ADD COLUMN producer TEXT;
UPDATE channel SET schema_version = 2";
const UPGRADE_PRODUCERS: &str =
    "ALTER TABLE producers ADD COLUMN busy_until_ms INTEGER NOT NULL DEFAULT 0";

/// Longest time until an alarm. The platform's clock ends in the year 2262; an alarm that is early
/// is set again.
const LONGEST_SLEEP: Duration = Duration::from_secs(365 * 86_400);
/// Members that joined over HTTP; the first of them creates the table.
const PRESENCE: &str = "
CREATE TABLE IF NOT EXISTS presence (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID";

/// Revocations; the first of them creates the table: the revoked ticket or user as JSON, and until
/// when the row is kept.
const REVOCATIONS: &str = "
CREATE TABLE IF NOT EXISTS revocations (
    of TEXT PRIMARY KEY,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID";
/// Table of the tenant's registry object, which is not a channel itself.
const TENANT: &str = "CREATE TABLE IF NOT EXISTS tenant (name TEXT PRIMARY KEY, mark INTEGER NOT NULL) WITHOUT ROWID";

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
}

impl Store {
    pub(crate) fn new(storage: Storage) -> Store {
        let sql = storage.sql();
        let [has_tables, has_producers, has_revocations] = [const { Cell::new(false) }; 3];
        Store {
            sql,
            storage,
            has_tables,
            has_producers,
            has_presence: Cell::new(None),
            has_revocations,
        }
    }

    /// The channel, or `None` without one. Reads a handful of rows and, except for an upgrade,
    /// writes none: a request for an unknown name must cost nothing.
    pub(crate) fn load(&self) -> Result<Option<Channel>> {
        self.has_tables.set(self.has_table("channel")?);
        self.has_revocations.set(self.has_table("revocations")?);
        if !self.has_tables.get() {
            return Ok(None);
        }
        self.has_producers.set(self.has_table("producers")?);
        let Some(version) = self.first("SELECT schema_version FROM channel", vec![])? else {
            return Ok(None);
        };
        match integer(version.into_iter().next())? {
            1 => self.upgrade()?,
            SCHEMA_VERSION => {}
            version => {
                return Err(Error::RustError(format!(
                    "the store has schema {version}, this code supports at most {SCHEMA_VERSION}; nothing was changed"
                )));
            }
        }
        const CHANNEL: &str = "SELECT epoch, content_type, closed, stream_seq, tail, total, revision, ttl_s, expires_at_ms, touched_at_ms FROM channel";
        let Some(row) = self.first(CHANNEL, vec![])? else {
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
        // An append writes only its events, so the newest event has the current tail and total.
        if let Some(row) =
            self.first("SELECT seq, total FROM events ORDER BY seq DESC LIMIT 1", vec![])?
        {
            let mut row = row.into_iter();
            channel.tail = integer(row.next())?;
            channel.total = integer(row.next())?;
        }
        channel.first = channel.tail + 1;
        channel.dropped = channel.total;
        if let Some(row) = self.first(
            "SELECT seq, at_ms, max(total - length(data), 0) FROM events ORDER BY seq LIMIT 1",
            vec![],
        )? {
            let mut row = row.into_iter();
            channel.first = integer(row.next())?;
            channel.first_at_ms = integer(row.next())?;
            channel.dropped = integer(row.next())?;
        }
        Ok(Some(channel))
    }

    /// Writes a commit, whole or not at all.
    pub(crate) fn commit(&self, commit: &Commit) -> Result<()> {
        self.atomically(|| {
            if !self.has_tables.get() {
                self.sql.exec(SCHEMA, None)?;
            } else if commit.is_new {
                // An expired channel whose alarm has not run yet.
                self.sql.exec("DELETE FROM events", None)?;
                if self.has_producers.get() {
                    self.sql.exec("DELETE FROM producers", None)?;
                }
            }
            let producer = commit.producer.as_ref().map_or(SqlStorageValue::Null, |producer| producer.id.as_str().into());
            for row in &commit.rows {
                let data = SqlStorageValue::Blob(row.event.data.clone());
                let values = vec![number(row.event.seq), number(row.at_ms), number(row.total), data, producer.clone()];
                self.sql.exec("INSERT INTO events (seq, at_ms, total, data, producer) VALUES (?, ?, ?, ?, ?)", values)?;
            }
            if let Some(event) = &commit.erased {
                self.sql.exec("UPDATE events SET data = ? WHERE seq = ?", vec![SqlStorageValue::Blob(event.data.clone()), number(event.seq)])?;
            }
            if commit.is_channel_changed {
                self.write_channel(&commit.channel)?;
            }
            if !commit.tallies.is_empty() && !self.has_producers.get() {
                self.sql.exec(PRODUCERS, None)?;
            }
            for (id, state) in &commit.tallies {
                let values = vec![id.as_str().into(), number(state.epoch), number(state.seq), number(state.busy_until_ms)];
                self.sql.exec("INSERT OR REPLACE INTO producers (id, epoch, seq, busy_until_ms) VALUES (?, ?, ?, ?)", values)?;
            }
            if let Some(forgetting) = &commit.forgetting {
                self.sql.exec(FORGET, vec![number(forgetting.idle_before_ms), number(forgetting.crowded_before_ms), number(forgetting.most)])?;
            }
            Ok(())
        })?;
        self.has_tables.set(true);
        self.has_producers.set(self.has_producers.get() || !commit.tallies.is_empty());
        Ok(())
    }

    /// Stores when the channel was read or written, from which its sliding TTL counts.
    pub(crate) fn touch(&self, channel: &Channel) -> Result<()> {
        let [_, _, touched_at_ms] = Expiry::columns(channel.expiry);
        self.sql.exec("UPDATE channel SET touched_at_ms = ?", vec![optional(touched_at_ms)])?;
        Ok(())
    }

    /// Sets the object's alarm. Called in the turn that writes something, it is stored with it or
    /// not at all.
    pub(crate) async fn set_alarm_at(&self, at_ms: u64) -> Result<()> {
        self.storage
            .set_alarm(Duration::from_millis(at_ms.saturating_sub(now_ms())).min(LONGEST_SLEEP))
            .await
    }

    /// The state of a producer.
    pub(crate) fn producer(&self, id: &str) -> Result<Option<ProducerState>> {
        if !self.has_producers.get() {
            return Ok(None);
        }
        let Some(row) = self.first(
            "SELECT epoch, seq, busy_until_ms FROM producers WHERE id = ?",
            vec![id.into()],
        )?
        else {
            return Ok(None);
        };
        let mut row = row.into_iter();
        Ok(Some(ProducerState {
            epoch: integer(row.next())?,
            seq: integer(row.next())?,
            busy_until_ms: integer(row.next())?,
        }))
    }

    /// One event with its publisher.
    pub(crate) fn event(&self, seq: u64) -> Result<Option<Authored>> {
        let Some(row) =
            self.first("SELECT data, producer FROM events WHERE seq = ?", vec![number(seq)])?
        else {
            return Ok(None);
        };
        let mut row = row.into_iter();
        Ok(Some(Authored { data: bytes(row.next())?, producer: optional_text(row.next()) }))
    }

    /// Members that joined over HTTP.
    pub(crate) fn leases(&self) -> Result<Vec<Lease>> {
        if !self.has_presence()? {
            return Ok(Vec::new());
        }
        let rows = self.sql.exec("SELECT id, state, until_ms FROM presence", None)?;
        rows.raw()
            .map(|row| {
                let mut row = row?.into_iter();
                let id = optional_text(row.next()).unwrap_or_default();
                Ok(Lease {
                    member: Member { id, state: optional_text(row.next()) },
                    until_ms: integer(row.next())?,
                })
            })
            .collect()
    }

    pub(crate) fn put_member(&self, id: &str, state: &str, until_ms: u64) -> Result<()> {
        if !self.has_presence()? {
            self.sql.exec(PRESENCE, None)?;
            self.has_presence.set(Some(true));
        }
        self.sql.exec(
            "INSERT OR REPLACE INTO presence (id, state, until_ms) VALUES (?, ?, ?)",
            vec![id.into(), state.into(), number(until_ms)],
        )?;
        Ok(())
    }

    pub(crate) fn remove_member(&self, id: &str) -> Result<()> {
        if self.has_presence()? {
            self.sql.exec("DELETE FROM presence WHERE id = ?", vec![id.into()])?;
        }
        Ok(())
    }

    /// Revocations, including expired ones.
    pub(crate) fn revocations(&self) -> Result<Vec<Revocation>> {
        if !self.has_revocations.get() {
            return Ok(Vec::new());
        }
        let rows = self.sql.exec("SELECT of, until_ms FROM revocations", None)?;
        rows.raw()
            .map(|row| {
                let mut row = row?.into_iter();
                let of = optional_text(row.next()).unwrap_or_default();
                let until_ms = integer(row.next())?;
                Revocation::from_columns(&of, until_ms).ok_or_else(|| {
                    Error::RustError(format!("the store has {of:?} instead of a revocation"))
                })
            })
            .collect()
    }

    pub(crate) fn put_revocation(&self, revocation: &Revocation) -> Result<()> {
        self.sql.exec(REVOCATIONS, None)?;
        self.has_revocations.set(true);
        let values = vec![revocation.column().into(), number(revocation.until_ms)];
        self.sql.exec("INSERT OR REPLACE INTO revocations (of, until_ms) VALUES (?, ?)", values)?;
        Ok(())
    }

    /// Removes expired revocations.
    pub(crate) fn prune_revocations(&self, now_ms: u64) -> Result<()> {
        if self.has_revocations.get() {
            self.sql.exec("DELETE FROM revocations WHERE until_ms <= ?", vec![number(now_ms)])?;
        }
        Ok(())
    }

    fn has_presence(&self) -> Result<bool> {
        let has_presence =
            self.has_presence.get().map_or_else(|| self.has_table("presence"), Ok)?;
        self.has_presence.set(Some(has_presence));
        Ok(has_presence)
    }

    fn has_table(&self, name: &str) -> Result<bool> {
        Ok(self.first("SELECT 1 FROM sqlite_master WHERE name = ?", vec![name.into()])?.is_some())
    }

    /// Drops the events that retention does not keep and returns the channel after it.
    pub(crate) fn retain(
        &self,
        channel: &Channel,
        retention: &Retention,
        now_ms: u64,
    ) -> Result<Channel> {
        let oldest = self.sql.exec("SELECT seq, at_ms, total FROM events ORDER BY seq", None)?;
        let mut fault = None;
        // The cursor is read no further than the first event that stays.
        let rows = oldest.raw().map_while(|row| {
            let row = row.and_then(|row| {
                let mut row = row.into_iter();
                Ok(RowSize {
                    seq: integer(row.next())?,
                    at_ms: integer(row.next())?,
                    total: integer(row.next())?,
                })
            });
            row.map_err(|error| fault = Some(error)).ok()
        });
        let kept = retention.cut(channel, now_ms, rows);
        if let Some(fault) = fault {
            return Err(fault);
        }
        self.atomically(|| {
            self.sql.exec("DELETE FROM events WHERE seq < ?", vec![number(kept.first)])?;
            if kept.first > kept.tail {
                self.write_channel(&kept)?;
            }
            Ok(())
        })?;
        Ok(kept)
    }

    /// Events after a position. Reads at most one row more than it returns.
    pub(crate) fn page(&self, after: u64, limit: PageLimit) -> Result<Page> {
        let values = vec![number(after), number(limit.max_events)];
        let cursor = self
            .sql
            .exec("SELECT seq, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?", values)?;
        let events = cursor.raw().map(|row| {
            let mut row = row?.into_iter();
            Ok::<_, Error>(Event { seq: integer(row.next())?, data: bytes(row.next())? })
        });
        Page::take(after, limit, events)
    }

    /// Registers a channel of the tenant whose object this is, under a new mark each time.
    pub(crate) fn register(&self, name: &str) -> Result<()> {
        self.sql.exec(TENANT, None)?;
        // Marks cross JavaScript exactly.
        self.sql.exec("INSERT OR REPLACE INTO tenant (name, mark) VALUES (?, abs(random() % 9007199254740991))", vec![name.into()])?;
        Ok(())
    }

    /// Channels of the tenant, with their marks.
    pub(crate) fn registered(&self, most: u64) -> Result<Vec<(String, u64)>> {
        if !self.has_table("tenant")? {
            return Ok(Vec::new());
        }
        let rows = self.sql.exec("SELECT name, mark FROM tenant LIMIT ?", vec![number(most)])?;
        rows.raw()
            .map(|row| {
                let mut row = row?.into_iter();
                Ok((optional_text(row.next()).unwrap_or_default(), integer(row.next())?))
            })
            .collect()
    }

    /// Forgets a channel of the tenant, unless it was registered again since.
    pub(crate) fn forget_registered(&self, name: &str, mark: u64) -> Result<()> {
        if self.has_table("tenant")? {
            self.sql.exec(
                "DELETE FROM tenant WHERE name = ? AND mark = ?",
                vec![name.into(), number(mark)],
            )?;
        }
        Ok(())
    }

    /// Whether the stored rows are useless without a channel: those of an expired channel, or no
    /// rows that are still in force.
    pub(crate) fn is_over(&self) -> Result<bool> {
        Ok(self.has_tables.get() || self.leases()?.is_empty() && self.revocations()?.is_empty())
    }

    /// Removes everything, so that nothing is left to pay for. With `keeps_revocations` it keeps
    /// them: creating a channel again does not restore access.
    pub(crate) async fn delete(&self, keeps_revocations: bool) -> Result<()> {
        self.has_tables.set(false);
        self.has_producers.set(false);
        self.has_presence.set(None);
        if keeps_revocations {
            const TABLES: [&str; 4] = ["channel", "events", "producers", "presence"];
            return self.atomically(|| {
                TABLES.iter().try_for_each(|table| {
                    self.sql.exec(&format!("DROP TABLE IF EXISTS {table}"), None).map(|_| ())
                })
            });
        }
        self.has_revocations.set(false);
        self.storage.delete_all().await
    }

    fn upgrade(&self) -> Result<()> {
        self.atomically(|| {
            self.sql.exec(UPGRADE, None)?;
            if self.has_producers.get() {
                self.sql.exec(UPGRADE_PRODUCERS, None)?;
            }
            Ok(())
        })
    }

    fn write_channel(&self, channel: &Channel) -> Result<()> {
        self.sql.exec("DELETE FROM channel", None)?;
        let [ttl_s, expires_at_ms, touched_at_ms] = Expiry::columns(channel.expiry).map(optional);
        let values = vec![
            number(SCHEMA_VERSION),
            number(channel.epoch),
            SqlStorageValue::String(channel.content_type.as_str().into()),
            SqlStorageValue::Integer(channel.closed.into()),
            channel.stream_seq.clone().map_or(SqlStorageValue::Null, SqlStorageValue::String),
            number(channel.tail),
            number(channel.total),
            number(channel.revision),
            ttl_s,
            expires_at_ms,
            touched_at_ms,
        ];
        self.sql.exec(
            "INSERT INTO channel (schema_version, epoch, content_type, closed, stream_seq, tail, total, revision, ttl_s, expires_at_ms, touched_at_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )?;
        Ok(())
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

fn number(value: u64) -> SqlStorageValue {
    // Sequences, sizes and times of ours stay far below 2^53, up to which integers cross JavaScript
    // exactly.
    SqlStorageValue::Integer(value as i64)
}

fn optional(value: Option<u64>) -> SqlStorageValue {
    value.map_or(SqlStorageValue::Null, number)
}

fn integer(value: Option<SqlStorageValue>) -> Result<u64> {
    match value {
        Some(SqlStorageValue::Integer(value)) if value >= 0 => Ok(value as u64),
        Some(SqlStorageValue::Float(value)) if value >= 0.0 => Ok(value as u64),
        Some(SqlStorageValue::Boolean(value)) => Ok(value.into()),
        other => Err(Error::RustError(format!("the store has {other:?} instead of a number"))),
    }
}

fn optional_text(value: Option<SqlStorageValue>) -> Option<String> {
    match value {
        Some(SqlStorageValue::String(text)) => Some(text),
        _ => None,
    }
}

fn content_type(value: Option<SqlStorageValue>) -> Result<ContentType> {
    optional_text(value)
        .and_then(|text| ContentType::parse(&text))
        .ok_or_else(|| Error::RustError("the store has no valid content type".into()))
}

fn bytes(value: Option<SqlStorageValue>) -> Result<Vec<u8>> {
    match value {
        Some(SqlStorageValue::Blob(data)) => Ok(data),
        other => Err(Error::RustError(format!("the store has {other:?} instead of an event"))),
    }
}
