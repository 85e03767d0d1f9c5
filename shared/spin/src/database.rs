//! The application's SQLite database `default`.

use std::cell::RefCell;
use std::rc::Rc;

use spin_sdk::sqlite::{Connection, Error, Value};

use crate::complain::complain;

/// A row, by position.
pub(crate) type Row = Vec<Value>;

/// Version of the tables below; a store of a newer version is refused, because this code cannot
/// know its form.
const SCHEMA_VERSION: u64 = 3;

/// `store` has one row: the version, and the newest epoch of a deleted channel, so that the next
/// channel gets a higher one. An append writes only its events. A channel's own row is written when
/// something else changes, or when no event is left to give tail and total.
const SCHEMA: [&str; 8] = [
    "CREATE TABLE IF NOT EXISTS channels (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
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
    )",
    "CREATE TABLE IF NOT EXISTS events (
        channel INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        total INTEGER NOT NULL,
        data BLOB NOT NULL,
        producer TEXT,
        PRIMARY KEY (channel, seq)
    ) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS producers (
        channel INTEGER NOT NULL,
        id TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        busy_until_ms INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (channel, id)
    ) WITHOUT ROWID",
    EXPIRY,
    PRESENCE,
    REVOCATIONS,
    "CREATE TABLE IF NOT EXISTS store (one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL, last_epoch INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO store (one, schema_version, last_epoch) VALUES (1, 3, 0)",
];

/// Holds only channels that expire, so that others cost nothing and the sweep finds the first at
/// once.
const EXPIRY: &str = "CREATE INDEX IF NOT EXISTS channels_expiry ON channels (coalesce(expires_at_ms, touched_at_ms + ttl_s * 1000))
    WHERE coalesce(expires_at_ms, touched_at_ms + ttl_s * 1000) IS NOT NULL";

/// Keyed by name, not by `channels.id`: a channel without events may have members. A member that
/// left stays for a lease, without a state, so that versions only increase.
const PRESENCE: &str = "CREATE TABLE IF NOT EXISTS presence (
    channel TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT,
    until_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (channel, id)
) WITHOUT ROWID";

/// Keyed by name: creating a channel again does not restore access. `of` is the revoked ticket or
/// user, as JSON. No two revocations of a channel have the same time, so the newest time shows
/// whether there is a new one.
const REVOCATIONS: &str = "CREATE TABLE IF NOT EXISTS revocations (
    channel TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    of TEXT NOT NULL,
    PRIMARY KEY (channel, until_ms)
) WITHOUT ROWID";

/// From version 1 to 2; the rows stay where they are.
const UPGRADE: [&str; 9] = [
    "ALTER TABLE channels ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE channels ADD COLUMN ttl_s INTEGER",
    "ALTER TABLE channels ADD COLUMN expires_at_ms INTEGER",
    "ALTER TABLE channels ADD COLUMN touched_at_ms INTEGER",
    "ALTER TABLE events ADD COLUMN producer TEXT",
    "ALTER TABLE producers ADD COLUMN busy_until_ms INTEGER NOT NULL DEFAULT 0",
    EXPIRY,
    PRESENCE,
    "UPDATE store SET schema_version = 2",
];

/// From version 2 to 3.
const UPGRADE_TO_3: [&str; 2] = [REVOCATIONS, "UPDATE store SET schema_version = 3"];

thread_local! {
    /// For single statements. Shared by the requests of the instance: they may interleave between
    /// statements, never within one.
    static SHARED: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
    /// For transactions, each used by one request at a time.
    static IDLE: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
}

/// Most connections kept for transactions: as many as requests run at once in an instance.
const MAX_IDLE: usize = 16;

/// Runs one statement and returns its rows, after the statement completed: a row can arrive before
/// an error.
pub(crate) async fn execute(
    connection: &Connection,
    statement: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    let rows = connection.execute(statement, values).await?.collect().await?;
    Ok(rows.into_iter().map(|row| row.values).collect())
}

/// The connection for single statements, with the tables made.
pub(crate) async fn shared() -> Result<Rc<Connection>, Error> {
    if let Some(connection) = SHARED.with_borrow(Clone::clone) {
        return Ok(connection);
    }
    let connection = Rc::new(Connection::open_default().await?);
    // With it readers continue while a writer writes. The file keeps the mode; if another instance
    // sets it now, this may fail.
    if let Err(cause) = execute(&connection, "PRAGMA journal_mode = WAL", vec![]).await {
        complain(None, format!("the journal mode was not changed: {cause}"));
    }
    // The last of the tables: if it exists, all exist.
    let tables =
        execute(&connection, "SELECT 1 FROM sqlite_master WHERE name = 'store'", vec![]).await?;
    if tables.is_empty() {
        let transaction = Transaction::begin().await?;
        for statement in SCHEMA {
            transaction.execute(statement, vec![]).await?;
        }
        transaction.commit().await?;
    }
    for (from, upgrade) in [(1, UPGRADE.as_slice()), (2, &UPGRADE_TO_3)] {
        if version(&connection).await? != from {
            continue;
        }
        let transaction = Transaction::begin().await?;
        // Another instance may have been faster.
        if version(transaction.connection()).await? == from {
            for statement in upgrade {
                transaction.execute(statement, vec![]).await?;
            }
        }
        transaction.commit().await?;
    }
    match version(&connection).await? {
        SCHEMA_VERSION => {}
        version => {
            return Err(Error::Io(format!(
                "the store has schema {version}, this code supports at most {SCHEMA_VERSION}; nothing was changed"
            )));
        }
    }
    SHARED.set(Some(Rc::clone(&connection)));
    Ok(connection)
}

async fn version(connection: &Connection) -> Result<u64, Error> {
    let rows = execute(connection, "SELECT schema_version FROM store", vec![]).await?;
    rows.first()
        .and_then(|row| row.first())
        .and_then(integer)
        .ok_or_else(|| Error::Io("the store did not return its schema version".into()))
}

/// A transaction that holds the database's write lock from its beginning. If it is dropped without
/// [`commit`](Transaction::commit), it is rolled back, together with its connection.
pub(crate) struct Transaction {
    connection: Connection,
}

impl Transaction {
    pub(crate) async fn begin() -> Result<Transaction, Error> {
        let idle = IDLE.with_borrow_mut(Vec::pop);
        let connection = match idle {
            Some(connection) => connection,
            None => Connection::open_default().await?,
        };
        execute(&connection, "BEGIN IMMEDIATE", vec![]).await?;
        Ok(Transaction { connection })
    }

    pub(crate) async fn execute(
        &self,
        statement: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        execute(&self.connection, statement, values).await
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.end("COMMIT").await
    }

    pub(crate) async fn roll_back(self) -> Result<(), Error> {
        self.end("ROLLBACK").await
    }

    async fn end(self, statement: &str) -> Result<(), Error> {
        execute(&self.connection, statement, vec![]).await?;
        IDLE.with_borrow_mut(|idle| {
            if idle.len() < MAX_IDLE {
                idle.push(self.connection);
            }
        });
        Ok(())
    }
}

pub(crate) fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(value) => u64::try_from(*value).ok(),
        _ => None,
    }
}

pub(crate) fn number(value: u64) -> Value {
    // Sequences, sizes and times of ours stay far below 2^53.
    Value::Integer(value as i64)
}
