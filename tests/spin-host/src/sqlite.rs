//! `spin:sqlite` on SQLite files.
//!
//! Each `open` makes a connection, as in Spin. An asynchronous query returns the column names
//! first, then the rows; only its outcome says whether the statement worked.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rusqlite::types::{Value as Stored, ValueRef};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasData, Resource, StreamProducer, StreamReader,
    StreamResult, VecBuffer,
};

use crate::bindings::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::counters::Counters;
use crate::guest::Guest;

/// How long a statement waits for another writer before it fails with `database is locked`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of connections that one instance may hold open, as in Spin.
const MAX_CONNECTIONS: usize = 256;

/// Number of rows that wait for the guest. If they are as many, the query waits for its reader.
const ROWS_AHEAD: usize = 64;

/// One open connection. It runs one statement at a time, outside of the async threads.
#[derive(Clone)]
pub struct Connection {
    database: Arc<Mutex<rusqlite::Connection>>,
    counters: Arc<Counters>,
}

impl Connection {
    async fn open(path: PathBuf, counters: Arc<Counters>) -> Result<Self, Error> {
        spawn_blocking(move || {
            let database = rusqlite::Connection::open(path).map_err(io)?;
            database.busy_timeout(BUSY_TIMEOUT).map_err(io)?;
            counters.sqlite.open.add();
            Ok(Self { database: Arc::new(Mutex::new(database)), counters })
        })
        .await
        .map_err(io)?
    }

    fn lock(&self) -> MutexGuard<'_, rusqlite::Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one statement. It stops when `row` returns that the reader has left.
    fn run(
        &self,
        statement: &str,
        parameters: Vec<Value>,
        columns: impl FnOnce(Vec<String>),
        mut row: impl FnMut(RowResult) -> bool,
    ) -> Result<(), Error> {
        let database = self.lock();
        let mut statement = database.prepare_cached(statement).map_err(io)?;
        let width = statement.column_count();
        let count = &self.counters.sqlite;
        match (statement.readonly(), width) {
            (false, _) => count.execute_write.add(),
            (true, 0) => count.execute_other.add(),
            (true, _) => count.execute_read.add(),
        }
        columns(statement.column_names().map(str::to_owned).collect());
        let mut rows = statement
            .query(rusqlite::params_from_iter(parameters.into_iter().map(stored)))
            .map_err(io)?;
        while let Some(found) = rows.next().map_err(io)? {
            let values = (0..width)
                .map(|column| value(found.get_ref(column).map_err(io)?))
                .collect::<Result<_, _>>()?;
            if !row(RowResult { values }) {
                break;
            }
        }
        Ok(())
    }

    async fn query(self, statement: String, parameters: Vec<Value>) -> Result<QueryResult, Error> {
        spawn_blocking(move || {
            let mut result = QueryResult { columns: Vec::new(), rows: Vec::new() };
            self.run(
                &statement,
                parameters,
                |columns| result.columns = columns,
                |row| {
                    result.rows.push(row);
                    true
                },
            )?;
            Ok(result)
        })
        .await
        .map_err(io)?
    }

    async fn stream(
        self,
        statement: String,
        parameters: Vec<Value>,
    ) -> (Vec<String>, Rows, oneshot::Receiver<Result<(), Error>>) {
        let (columns_sender, columns) = oneshot::channel();
        let (rows_sender, rows) = mpsc::channel(ROWS_AHEAD);
        let (outcome_sender, outcome) = oneshot::channel();
        spawn_blocking(move || {
            // Ignore the error: the guest may have dropped the receivers that it does not read.
            let result = self.run(
                &statement,
                parameters,
                |columns| drop(columns_sender.send(columns)),
                |row| rows_sender.blocking_send(row).is_ok(),
            );
            drop(rows_sender);
            drop(outcome_sender.send(result));
        });
        // A statement that SQLite cannot prepare has no columns; the outcome contains the error.
        (columns.await.unwrap_or_default(), Rows(rows), outcome)
    }

    async fn ask<T: Send + 'static>(
        self,
        question: fn(&rusqlite::Connection) -> T,
    ) -> wasmtime::Result<T> {
        Ok(spawn_blocking(move || question(&self.lock())).await?)
    }
}

/// The rows that a guest reads as a stream.
struct Rows(mpsc::Receiver<RowResult>);

impl<D> StreamProducer<D> for Rows {
    type Item = RowResult;
    type Buffer = VecBuffer<RowResult>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        // A read of zero items only asks whether there is an item. Answer at once: the guest's next
        // read waits for it.
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let mut rows = Vec::new();
        match self.0.poll_recv_many(cx, &mut rows, ROWS_AHEAD) {
            Poll::Ready(0) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(_) => {
                destination.set_buffer(rows.into());
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn io(error: impl std::fmt::Display) -> Error {
    Error::Io(error.to_string())
}

fn stored(value: Value) -> Stored {
    match value {
        Value::Integer(number) => Stored::Integer(number),
        Value::Real(number) => Stored::Real(number),
        Value::Text(text) => Stored::Text(text),
        Value::Blob(bytes) => Stored::Blob(bytes),
        Value::Null => Stored::Null,
    }
}

fn value(stored: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match stored {
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8(text.to_vec()).map_err(io)?),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Null => Value::Null,
    })
}

/// The implementation of `spin:sqlite`.
pub struct Sqlite;

impl HasData for Sqlite {
    type Data<'a> = &'a mut Guest;
}

impl Guest {
    /// The file of a database that the manifest grants. Without the grant the answer does not say
    /// whether the database exists.
    fn database(&self, name: &str) -> Result<PathBuf, Error> {
        self.component.databases.get(name).cloned().ok_or(Error::AccessDenied)
    }

    fn hold(&mut self, connection: Connection) -> Result<Resource<Connection>, Error> {
        if self.connections == MAX_CONNECTIONS {
            return Err(io("too many connections opened"));
        }
        let resource = self.table.push(connection).map_err(io)?;
        self.connections += 1;
        Ok(resource)
    }

    fn connection(&self, resource: &Resource<Connection>) -> wasmtime::Result<Connection> {
        Ok(self.table.get(resource)?.clone())
    }
}

impl Host for Guest {}

impl HostConnection for Guest {
    async fn open(
        &mut self,
        database: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let path = match self.database(&database) {
            Ok(path) => path,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match Connection::open(path, Arc::clone(&self.component.counters)).await {
            Ok(connection) => self.hold(connection),
            Err(error) => Err(error),
        })
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        Ok(self.connection(&connection)?.query(statement, parameters).await)
    }

    async fn last_insert_rowid(
        &mut self,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        self.connection(&connection)?.ask(rusqlite::Connection::last_insert_rowid).await
    }

    async fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        self.connection(&connection)?.ask(rusqlite::Connection::changes).await
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.connections -= 1;
        Ok(())
    }
}

type Streamed = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl<T> HostConnectionWithStore<T> for Sqlite {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        database: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let granted = accessor.with(|mut store| {
            let guest = store.get();
            guest.database(&database).map(|path| (path, Arc::clone(&guest.component.counters)))
        });
        let opened = match granted {
            Ok((path, counters)) => Connection::open(path, counters).await,
            Err(error) => Err(error),
        };
        Ok(opened.and_then(|connection| accessor.with(|mut store| store.get().hold(connection))))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Streamed, Error>> {
        let connection = accessor.with(|mut store| store.get().connection(&connection))?;
        let (columns, rows, outcome) = connection.stream(statement, parameters).await;
        let outcome = async move {
            wasmtime::error::Ok(
                outcome.await.unwrap_or_else(|_| Err(io("the query was abandoned"))),
            )
        };
        accessor.with(|mut store| {
            Ok(Ok((
                columns,
                StreamReader::new(&mut store, rows)?,
                FutureReader::new(&mut store, outcome)?,
            )))
        })
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        accessor
            .with(|mut store| store.get().connection(&connection))?
            .ask(rusqlite::Connection::last_insert_rowid)
            .await
    }

    async fn changes_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<u64> {
        accessor
            .with(|mut store| store.get().connection(&connection))?
            .ask(rusqlite::Connection::changes)
            .await
    }
}
