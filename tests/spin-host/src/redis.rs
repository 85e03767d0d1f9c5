//! `spin:redis` on a connection of its own for each `open`, without reconnection and without a time
//! limit, as in Spin.

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, ErrorKind, FromRedisValue, RedisError, Value, cmd};
use wasmtime::component::{Accessor, HasData, Resource};

use crate::bindings::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};
use crate::guest::Guest;

/// Number of connections that one instance may hold open, as in Spin.
const MAX_CONNECTIONS: usize = 1024;

/// One open connection. Its commands may overlap; it closes when it and all its calls are dropped.
pub struct Connection(MultiplexedConnection);

impl Connection {
    async fn open(address: &str) -> Result<Self, Error> {
        let client = Client::open(address).map_err(|_| Error::InvalidAddress)?;
        client.get_multiplexed_async_connection().await.map(Self).map_err(other)
    }
}

fn other(error: impl std::fmt::Display) -> Error {
    Error::Other(error.to_string())
}

/// Appends the values of a reply in their order, without its nesting.
fn flatten(reply: Value, values: &mut Vec<RedisResult>) -> Result<(), RedisError> {
    values.push(match reply {
        Value::Array(items) | Value::Set(items) => {
            return items.into_iter().try_for_each(|item| flatten(item, values));
        }
        Value::Nil => RedisResult::Nil,
        Value::Okay => RedisResult::Status("OK".to_owned()),
        Value::SimpleString(text) => RedisResult::Status(text),
        Value::Int(number) => RedisResult::Int64(number),
        Value::Boolean(is) => RedisResult::Int64(is.into()),
        Value::BulkString(bytes) => RedisResult::Binary(bytes),
        Value::Double(number) => RedisResult::Binary(number.to_string().into()),
        Value::BigNumber(number) => RedisResult::Binary(number.to_string().into()),
        Value::Map(_) => return Err(refused("Redis Map type is not supported")),
        Value::Attribute { .. } => return Err(refused("Redis Attribute type is not supported")),
        Value::VerbatimString { .. } => {
            return Err(refused("Redis string with format attribute is not supported"));
        }
        Value::Push { .. } => return Err(refused("Redis Pub/Sub types are not supported")),
        Value::ServerError(error) => {
            let detail = format!("{error:?}");
            return Err((ErrorKind::ResponseError, "Server error", detail).into());
        }
    });
    Ok(())
}

/// The error of Spin, word for word, since guests can only compare the text.
fn refused(detail: &str) -> RedisError {
    (ErrorKind::TypeError, "Could not convert Redis response", detail.to_owned()).into()
}

/// The implementation of `spin:redis`.
pub struct Redis;

impl HasData for Redis {
    type Data<'a> = &'a mut Guest;
}

impl Redis {
    /// Sends one command. The outer error is a trap, the inner one the guest's answer.
    async fn send<T, A: FromRedisValue>(
        accessor: &Accessor<T, Self>,
        connection: &Resource<Connection>,
        command: &Cmd,
    ) -> wasmtime::Result<Result<A, RedisError>> {
        let mut sender = accessor.with(|mut store| {
            let guest = store.get();
            guest.component.counters.redis.commands.add();
            wasmtime::error::Ok(guest.table.get(connection)?.0.clone())
        })?;
        Ok(command.query_async(&mut sender).await)
    }

    /// The same, for a function whose every error is a text.
    async fn ask<T, A: FromRedisValue>(
        accessor: &Accessor<T, Self>,
        connection: &Resource<Connection>,
        command: &Cmd,
    ) -> wasmtime::Result<Result<A, Error>> {
        Ok(Self::send(accessor, connection, command).await?.map_err(other))
    }
}

impl Guest {
    /// Whether the manifest grants the server of this address. An address that cannot be read is
    /// granted by nothing.
    fn may_reach(&self, address: &str) -> bool {
        let Some(url) = redis::parse_redis_url(address) else { return false };
        let Some(host) = url.host_str() else { return false };
        let (scheme, port) = (url.scheme(), url.port());
        let is_granted = self.component.grants.iter().any(|grant| grant.covers(scheme, host, port));
        if !is_granted {
            // Without user and password.
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            eprintln!("Redis at {scheme}://{host}{port} denied: add it to allowed_outbound_hosts");
        }
        is_granted
    }

    fn hold_redis(&mut self, connection: Connection) -> Result<Resource<Connection>, Error> {
        if self.redis_connections == MAX_CONNECTIONS {
            return Err(Error::TooManyConnections);
        }
        let resource = self.table.push(connection).map_err(|_| Error::TooManyConnections)?;
        self.redis_connections += 1;
        self.component.counters.redis.open.add();
        Ok(resource)
    }
}

impl Host for Guest {}

impl HostConnection for Guest {
    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.redis_connections -= 1;
        Ok(())
    }
}

type Answer<A> = wasmtime::Result<Result<A, Error>>;

impl<T> HostConnectionWithStore<T> for Redis {
    async fn open(accessor: &Accessor<T, Self>, address: String) -> Answer<Resource<Connection>> {
        if !accessor.with(|mut store| store.get().may_reach(&address)) {
            return Ok(Err(Error::InvalidAddress));
        }
        let opened = Connection::open(&address).await;
        Ok(opened
            .and_then(|connection| accessor.with(|mut store| store.get().hold_redis(connection))))
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Answer<()> {
        Self::ask(accessor, &connection, cmd("PUBLISH").arg(channel).arg(payload)).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        Self::ask(accessor, &connection, cmd("GET").arg(key)).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        Self::ask(accessor, &connection, cmd("SET").arg(key).arg(value)).await
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Answer<i64> {
        Self::ask(accessor, &connection, cmd("INCRBY").arg(key).arg(1)).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        keys: Vec<String>,
    ) -> Answer<u32> {
        Self::ask(accessor, &connection, cmd("DEL").arg(keys)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        // Only here does Spin distinguish a reply of another type.
        let added = Self::send(accessor, &connection, cmd("SADD").arg(key).arg(values)).await?;
        Ok(added.map_err(|error| match error.kind() {
            ErrorKind::TypeError => Error::TypeError,
            _ => other(error),
        }))
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Answer<Vec<String>> {
        Self::ask(accessor, &connection, cmd("SMEMBERS").arg(key)).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        Self::ask(accessor, &connection, cmd("SREM").arg(key).arg(values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Answer<Vec<RedisResult>> {
        let mut command = cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(number) => command.arg(number),
                RedisParameter::Binary(bytes) => command.arg(bytes),
            };
        }
        let reply: Result<Value, Error> = Self::ask(accessor, &connection, &command).await?;
        Ok(reply.and_then(|reply| {
            let mut values = Vec::new();
            flatten(reply, &mut values).map_err(other)?;
            Ok(values)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(reply: Value) -> Result<Vec<RedisResult>, String> {
        let mut values = Vec::new();
        flatten(reply, &mut values).map_err(|error| error.to_string())?;
        Ok(values)
    }

    #[test]
    fn a_reply_of_the_third_protocol_becomes_numbers_and_bytes() {
        let reply = Value::Set(vec![
            Value::Boolean(true),
            Value::Double(1.5),
            Value::Array(vec![Value::Nil]),
        ]);
        let values = flat(reply).expect("values");
        assert_eq!(
            format!("{values:?}"),
            "[RedisResult::Int64(1), RedisResult::Binary([49, 46, 53]), RedisResult::Nil]"
        );
    }

    #[test]
    fn a_map_and_a_push_are_refused() {
        assert_eq!(
            flat(Value::Array(vec![Value::Map(Vec::new())])).expect_err("a map"),
            "Could not convert Redis response - TypeError: Redis Map type is not supported"
        );
        let push = Value::Push { kind: redis::PushKind::Message, data: Vec::new() };
        assert_eq!(
            flat(push).expect_err("a push"),
            "Could not convert Redis response - TypeError: Redis Pub/Sub types are not supported"
        );
    }
}
