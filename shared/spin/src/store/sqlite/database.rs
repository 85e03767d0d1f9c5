//! The application's SQLite database `default`.

use std::cell::RefCell;
use std::rc::Rc;

use spin_sdk::sqlite::{Connection, Error, Value};

use super::rows::{Row, damaged, integer};
use super::sql;
use crate::complain::complain;
use crate::store::{Fault, Result};

thread_local! {
    /// For single statements. Shared by the requests of the instance: they may interleave between
    /// statements, never within one.
    static SHARED: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
    /// For transactions, each used by one request at a time.
    static IDLE: RefCell<Vec<Rc<Connection>>> = const { RefCell::new(Vec::new()) };
}

/// Most connections kept for transactions: as many as requests run at once in an instance.
const MAX_IDLE: usize = 16;

/// Runs one statement and returns its rows, after the statement completed: a row can arrive before
/// an error.
pub(super) async fn execute(
    connection: &Connection,
    statement: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>> {
    let rows = connection.execute(statement, values).await?.collect().await?;
    Ok(rows.into_iter().map(|row| row.values).collect())
}

/// The connection for single statements, with the tables made.
pub(super) async fn shared() -> Result<Rc<Connection>> {
    if let Some(connection) = SHARED.with_borrow(Clone::clone) {
        return Ok(connection);
    }
    let connection = Rc::new(Connection::open_default().await?);
    // The file keeps the mode; if another instance sets it now, this may fail.
    if let Err(cause) = execute(&connection, sql::USE_WAL, vec![]).await {
        complain(None, format!("the journal mode was not changed: {cause}"));
    }
    if execute(&connection, sql::TABLES_EXIST, vec![]).await?.is_empty() {
        let transaction = Transaction::begin().await?;
        for statement in sql::SCHEMA {
            transaction.execute(statement, vec![]).await?;
        }
        transaction.commit().await?;
    }
    for (from, upgrade) in sql::UPGRADES {
        if version(&connection).await? != from {
            continue;
        }
        let transaction = Transaction::begin().await?;
        // Another instance may have been faster.
        if version(&transaction.connection).await? == from {
            for statement in upgrade {
                transaction.execute(statement, vec![]).await?;
            }
        }
        transaction.commit().await?;
    }
    match version(&connection).await? {
        sql::SCHEMA_VERSION => {}
        version => {
            return Err(Fault::new(format!(
                "the store has schema {version}, this code supports at most {}; nothing was changed",
                sql::SCHEMA_VERSION
            )));
        }
    }
    SHARED.set(Some(Rc::clone(&connection)));
    Ok(connection)
}

async fn version(connection: &Connection) -> Result<u64> {
    let rows = execute(connection, sql::VERSION, vec![]).await?;
    rows.first()
        .and_then(|row| row.first())
        .and_then(integer)
        .ok_or_else(|| damaged("schema version"))
}

/// A transaction that holds the database's write lock from its beginning. If it is dropped without
/// [`commit`](Transaction::commit), it is rolled back, together with its connection.
pub(crate) struct Transaction {
    connection: Rc<Connection>,
}

impl Transaction {
    pub(super) async fn begin() -> Result<Transaction> {
        let idle = IDLE.with_borrow_mut(Vec::pop);
        let connection = match idle {
            Some(connection) => connection,
            None => Rc::new(Connection::open_default().await?),
        };
        execute(&connection, sql::BEGIN, vec![]).await?;
        Ok(Transaction { connection })
    }

    pub(super) async fn execute(&self, statement: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        execute(&self.connection, statement, values).await
    }

    pub(super) async fn commit(self) -> Result<()> {
        execute(&self.connection, sql::COMMIT, vec![]).await?;
        IDLE.with_borrow_mut(|idle| {
            if idle.len() < MAX_IDLE {
                idle.push(self.connection);
            }
        });
        Ok(())
    }
}

/// The connection of a transaction, or the one for single statements.
pub(super) async fn connection_of(transaction: Option<&Transaction>) -> Result<Rc<Connection>> {
    match transaction {
        Some(transaction) => Ok(Rc::clone(&transaction.connection)),
        None => shared().await,
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::new(error.to_string())
    }
}
