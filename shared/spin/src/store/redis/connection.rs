//! The connection to the server, one for all requests of the instance: the host sends their
//! commands as they come.
//!
//! The host has no time limit and never reconnects, so each call races a timer, and a connection
//! that failed is replaced.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use spin_sdk::time::sleep;
use spin_sdk::variables;

use super::address::Address;
use super::keys::PREFIX;
use super::reply::{first_number, texts};
use crate::store::health::count_reconnect;
use crate::store::{Fault, Result};

/// The script, in the order in which its parts use each other.
const SCRIPT: &str = concat!(
    include_str!("keys.lua"),
    include_str!("read.lua"),
    include_str!("push.lua"),
    include_str!("commit.lua"),
    include_str!("change.lua"),
    include_str!("people.lua"),
    include_str!("whole.lua"),
);

/// The version of the keys and of what they hold.
const SCHEMA_VERSION: u64 = 1;

/// A call that takes longer fails: the server, or the way to it, does not answer.
const LONGEST: Duration = Duration::from_secs(5);

thread_local! {
    static SHARED: RefCell<Option<Rc<Link>>> = const { RefCell::new(None) };
}

/// The arguments of a command.
pub(super) type Arguments = Vec<Vec<u8>>;

/// How long a commit waits for the replicas that must have it, in milliseconds. Other calls of the
/// connection wait behind it.
const REPLICATION_MS: &str = "1000";

/// One open connection, with the script loaded.
struct Link {
    connection: Connection,
    /// How many replicas must have a commit.
    replicas: u64,
    script: RefCell<Vec<u8>>,
}

/// Why a command has no reply.
enum Failure {
    /// The connection is of no use any more. The server may have carried out the command.
    Lost(String),
    /// The server has forgotten the script.
    NoScript,
    /// The server did not carry out the command, and works again later.
    Busy(String),
    /// The command is wrong, or the server is not set up for it.
    Refused(String),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        match failure {
            Failure::Lost(cause) | Failure::Busy(cause) => {
                Fault::unavailable(format!("Redis is unavailable: {cause}"))
            }
            Failure::NoScript => Fault::unavailable("Redis forgot the script twice"),
            Failure::Refused(cause) => Fault::new(format!("Redis refused a command: {cause}")),
        }
    }
}

/// Runs the operation of the script with these keys.
///
/// `arguments` are made again for the second try after a lost connection, with `true`.
pub(super) async fn operate(
    keys: &[String],
    arguments: impl Fn(bool) -> Arguments,
) -> Result<Vec<RedisResult>> {
    Ok(operate_on(keys, arguments).await?.0)
}

/// The reply, and the connection that it came on.
async fn operate_on(
    keys: &[String],
    arguments: impl Fn(bool) -> Arguments,
) -> Result<(Vec<RedisResult>, Rc<Link>)> {
    let mut is_again = false;
    let mut tries = 0;
    loop {
        let link = link().await?;
        let mut all = vec![link.script.borrow().clone(), keys.len().to_string().into()];
        all.extend(keys.iter().map(|key| key.clone().into_bytes()));
        all.extend(arguments(is_again));
        tries += 1;
        match link.run("EVALSHA", all).await {
            Ok(reply) => return Ok((reply, link)),
            Err(Failure::NoScript) if tries < 3 => link.load().await?,
            Err(Failure::Lost(_)) if !is_again => is_again = true,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// Runs an operation as [`operate`] does, and returns when enough replicas have it.
///
/// # Errors
///
/// Also if too few replicas have it in time. The server keeps the write nevertheless.
pub(super) async fn operate_safely(
    keys: &[String],
    arguments: impl Fn(bool) -> Arguments,
) -> Result<Vec<RedisResult>> {
    let (reply, link) = operate_on(keys, arguments).await?;
    if link.replicas > 0 {
        let wait = vec![link.replicas.to_string().into(), REPLICATION_MS.into()];
        let have = first_number(&link.run("WAIT", wait).await?).unwrap_or(0);
        if have < link.replicas {
            let replicas = link.replicas;
            return Err(Fault::unavailable(format!("{have} of {replicas} replicas have a write")));
        }
    }
    Ok(reply)
}

/// Runs a command that only reads, or that may run twice.
pub(super) async fn run(command: &str, arguments: Arguments) -> Result<Vec<RedisResult>> {
    match link().await?.run(command, arguments.clone()).await {
        Err(Failure::Lost(_)) => Ok(link().await?.run(command, arguments).await?),
        reply => Ok(reply?),
    }
}

/// Opens the connection of the instance, unless it is open.
pub(super) async fn connect() -> Result<()> {
    link().await.map(drop)
}

/// The connection of the instance.
async fn link() -> Result<Rc<Link>> {
    if let Some(link) = SHARED.with_borrow(Clone::clone) {
        return Ok(link);
    }
    let link = Rc::new(Link::open().await?);
    SHARED.set(Some(Rc::clone(&link)));
    Ok(link)
}

impl Link {
    async fn open() -> Result<Link> {
        let address = Address::parse(variables::get("store").await.unwrap_or_default())?;
        let connection = match within(Connection::open(address.text())).await? {
            Ok(connection) => connection,
            Err(Error::InvalidAddress) => return Err(address.refused()),
            Err(Error::Other(text)) if text.contains("AuthenticationFailed") => {
                return Err(Fault::new(
                    "Redis refused the user or the password of the variable `store`",
                ));
            }
            Err(error) => return Err(Failure::Lost(error.to_string()).into()),
        };
        let replicas = variables::get("store_replicas").await.unwrap_or_default();
        let replicas = match replicas.as_str() {
            "" => 0,
            number => number.parse().map_err(|_| {
                Fault::new(format!(
                    "the variable `store_replicas` must be a number, got {number:?}"
                ))
            })?,
        };
        let link = Link { connection, replicas, script: RefCell::default() };
        // First, because Redis says clearly that it wants a password only to short commands.
        link.check().await?;
        link.load().await?;
        Ok(link)
    }

    async fn load(&self) -> Result<()> {
        let loaded = self.run("SCRIPT", vec![b"LOAD".into(), SCRIPT.into()]).await?;
        let Some(RedisResult::Binary(digest)) = loaded.into_iter().next() else {
            return Err(Fault::new("Redis did not load the script"));
        };
        self.script.replace(digest);
        Ok(())
    }

    /// Refuses a store of a newer version, and a server that may remove any key.
    async fn check(&self) -> Result<()> {
        let key = format!("{}schema", PREFIX);
        let value = SCHEMA_VERSION.to_string();
        self.run("SETNX", vec![key.clone().into(), value.into()]).await?;
        let version = self.run("GET", vec![key.into()]).await?;
        match texts(version).next().flatten().and_then(|text| text.parse::<u64>().ok()) {
            Some(version) if version <= SCHEMA_VERSION => {}
            version => {
                return Err(Fault::new(format!(
                    "the store has schema {version:?}, this code supports at most {SCHEMA_VERSION}; nothing was changed"
                )));
            }
        }
        // A service that hides its memory has a policy of its own.
        let memory = self.run("INFO", vec![b"memory".into()]).await.ok();
        let memory = memory.and_then(|memory| texts(memory).next().flatten());
        if memory.is_some_and(|memory| memory.contains("maxmemory_policy:allkeys")) {
            return Err(Fault::new(
                "the maxmemory-policy of Redis removes keys of channels: set it to noeviction",
            ));
        }
        Ok(())
    }

    async fn run(
        &self,
        command: &str,
        arguments: Arguments,
    ) -> std::result::Result<Vec<RedisResult>, Failure> {
        let arguments = arguments.into_iter().map(RedisParameter::Binary);
        let failure = match within(self.connection.execute(command, arguments)).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(error)) => failure_of(&error),
            Err(fault) => Failure::Lost(fault.text),
        };
        if matches!(failure, Failure::Lost(_) | Failure::Busy(_)) {
            self.leave();
        }
        Err(failure)
    }

    /// No later call takes this connection: its address may lead to another server by now.
    fn leave(&self) {
        SHARED.with_borrow_mut(|shared| {
            if shared.as_deref().is_some_and(|link| std::ptr::eq(link, self)) {
                *shared = None;
                count_reconnect();
            }
        });
    }
}

/// Which failure the text of an error means: the host has no other sign.
fn failure_of(error: &Error) -> Failure {
    const BUSY: [&str; 9] = [
        "ReadOnly",
        "READONLY",
        "OOM",
        "NOREPLICAS",
        "BusyLoading",
        "TryAgain",
        "ClusterDown",
        "MasterDown",
        "BUSY",
    ];
    let text = match error {
        Error::Other(text) => text.clone(),
        error => return Failure::Lost(error.to_string()),
    };
    if text.contains("NoScriptError") {
        return Failure::NoScript;
    }
    if BUSY.iter().any(|busy| text.contains(busy)) {
        return Failure::Busy(text);
    }
    // The server's own errors: a code of ours, or one that the client knows.
    let is_reply = text.starts_with("An error was signalled by the server")
        || text.split_once(": ").is_some_and(|(code, _)| {
            !code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase())
        });
    if is_reply { Failure::Refused(text) } else { Failure::Lost(text) }
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T> {
    match select(pin!(work), pin!(sleep(LONGEST))).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => {
            Err(Fault::unavailable(format!("Redis did not answer within {LONGEST:?}")))
        }
    }
}
