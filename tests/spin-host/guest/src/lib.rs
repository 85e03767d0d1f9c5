//! A component for the tests of the host: each path uses one feature.

use std::cell::{Cell, OnceCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use futures::future::{Either, LocalBoxFuture, select};
use http::{Response, StatusCode};
use http_body::Frame;
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::redis::{Connection as Redis, Error as RedisError, RedisParameter};
use spin_sdk::sqlite::wit::sqlite as raw;
use spin_sdk::sqlite::{Connection, Value};
use spin_sdk::time::sleep;
use spin_sdk::{http_service, variables};

thread_local! {
    /// Distinguishes instances.
    static INSTANCE: OnceCell<u64> = const { OnceCell::new() };
    /// `/release` sets it; then `/pieces` continues.
    static RELEASED: Cell<bool> = const { Cell::new(false) };
    /// Number of streams of `/ticks` that ended.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

fn instance() -> String {
    INSTANCE.with(|id| {
        format!("{:016x}", id.get_or_init(|| RandomState::new().build_hasher().finish()))
    })
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

async fn released() {
    while !RELEASED.get() {
        sleep(Duration::from_millis(5)).await;
    }
}

type Piece = LocalBoxFuture<'static, Option<String>>;

/// A body that makes its next piece only when the host reads it; `None` ends it.
struct Body {
    make: Box<dyn Fn(u32) -> Piece>,
    piece: Piece,
    number: u32,
}

impl Body {
    fn pull(make: impl Fn(u32) -> Piece + 'static) -> Self {
        Self { piece: make(0), make: Box::new(make), number: 0 }
    }

    fn whole(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::pull(move |number| {
            let text = (number == 0).then(|| text.clone());
            Box::pin(async { text })
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = anyhow::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let Poll::Ready(piece) = self.piece.as_mut().poll(cx) else { return Poll::Pending };
        self.number += 1;
        self.piece = (self.make)(self.number);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece.into()))))
    }
}

/// Counts a stream that ended, for any reason.
struct Leaving;

impl Drop for Leaving {
    fn drop(&mut self) {
        LEFT.set(LEFT.get() + 1);
    }
}

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    match route(request).await {
        Ok(response) => response,
        Err(error) => respond(StatusCode::BAD_REQUEST, Body::whole(format!("{error:?}"))),
    }
}

fn respond(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

async fn route(request: Request) -> Result<Response<Body>> {
    let path = request
        .headers()
        .get_all("spin-path-info")
        .iter()
        .next_back()
        .map_or("", |path| path.to_str().unwrap_or_default())
        .to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let text = match path.as_str() {
        "/instance" => instance(),
        "/headers" => request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or("?")))
            .collect(),
        "/echo" => String::from_utf8(
            request.into_body().bytes().await.map_err(|code| anyhow!("{code:?}"))?.to_vec(),
        )?,
        "/release" => {
            RELEASED.set(true);
            instance()
        }
        "/wait" => {
            println!("waiting");
            while now_ms() < query.parse()? {
                sleep(Duration::from_millis(5)).await;
            }
            instance()
        }
        "/spin" => {
            println!("spinning");
            let until = query.parse()?;
            while now_ms() < until {}
            instance()
        }
        "/pieces" => {
            return Ok(respond(
                StatusCode::OK,
                Body::pull(|number| {
                    Box::pin(async move {
                        match number {
                            0 => Some("first\n".to_owned()),
                            1 => {
                                released().await;
                                Some("second\n".to_owned())
                            }
                            _ => None,
                        }
                    })
                }),
            ));
        }
        "/ticks" => {
            let leaving = Leaving;
            return Ok(respond(
                StatusCode::OK,
                Body::pull(move |number| {
                    let _held = &leaving;
                    Box::pin(async move {
                        sleep(Duration::from_millis(if number == 0 { 0 } else { 20 })).await;
                        Some(format!("{} {number}\n", instance()))
                    })
                }),
            ));
        }
        "/left" => LEFT.get().to_string(),
        "/panic" => panic!("asked to"),
        "/park" => {
            // Only another task could wake this one, and there is none: the wait traps.
            std::future::pending::<()>().await;
            String::new()
        }
        "/switch" => return Ok(respond(StatusCode::SWITCHING_PROTOCOLS, Body::whole(""))),
        "/print" => {
            print!("out in ");
            println!("pieces");
            eprintln!("err");
            String::new()
        }
        "/environment" => {
            std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect()
        }
        "/clock" => now_ms().to_string(),
        "/variable" => variables::get(&query).await?,
        "/fetch" => {
            let response = spin_sdk::http::get(&query).await?;
            response.status().to_string()
        }
        "/database" => {
            Connection::open(&query).await?;
            "open".to_owned()
        }
        "/sql" => {
            let statement =
                request.into_body().bytes().await.map_err(|code| anyhow!("{code:?}"))?;
            sql(&String::from_utf8(statement.to_vec())?).await?
        }
        "/redis" => {
            let lines = request.into_body().bytes().await.map_err(|code| anyhow!("{code:?}"))?;
            redis(&query, &String::from_utf8(lines.to_vec())?).await?
        }
        "/sync" => sync()?,
        "/insert" => insert(&query).await?,
        _ => return Ok(respond(StatusCode::NOT_FOUND, Body::whole("no such path of the guest"))),
    };
    Ok(respond(StatusCode::OK, Body::whole(text)))
}

/// Runs each line as a statement on one connection, and prints its columns, rows and outcome.
async fn sql(statements: &str) -> Result<String> {
    let connection = Connection::open_default().await?;
    let mut report = String::new();
    for statement in statements.lines() {
        let mut result = connection.execute(statement, []).await?;
        report += &format!("columns {}\n", result.columns().join(","));
        while let Some(row) = result.next().await {
            report += &format!("row {:?}\n", row.values);
        }
        report += &match result.result().await {
            Ok(()) => format!(
                "ok, {} changed, last row {}\n",
                connection.changes().await,
                connection.last_insert_rowid().await
            ),
            Err(error) => format!("{error:?}\n"),
        };
    }
    Ok(report)
}

/// Runs each line on one connection to the address, and prints its result or error.
async fn redis(address: &str, lines: &str) -> Result<String> {
    let mut connection = match Redis::open(address).await {
        Ok(connection) => connection,
        Err(error) => return Ok(format!("{error:?}\n")),
    };
    let mut report = String::new();
    for line in lines.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let result = match words[..] {
            ["reopen"] => Redis::open(address).await.map(|new| {
                connection = new;
                "open".to_owned()
            }),
            ["wait"] => {
                println!("waiting");
                released().await;
                Ok("released".to_owned())
            }
            ["fill"] => Ok(fill(address).await),
            ["abandon"] => abandon(address).await,
            _ => command(&connection, &words).await,
        };
        report += &match result {
            Ok(result) => format!("{result}\n"),
            Err(error) => format!("{error:?}\n"),
        };
    }
    Ok(report)
}

/// One function of the interface, with its arguments.
async fn command(connection: &Redis, words: &[&str]) -> Result<String, RedisError> {
    Ok(match *words {
        ["publish", channel, payload] => {
            format!("{:?}", connection.publish(channel, payload).await?)
        }
        ["get", key] => format!("{:?}", connection.get(key).await?),
        ["set", key, value] => format!("{:?}", connection.set(key, value).await?),
        ["incr", key] => connection.incr(key).await?.to_string(),
        ["del", ref keys @ ..] => connection.del(keys).await?.to_string(),
        ["sadd", key, ref values @ ..] => connection.sadd(key, values).await?.to_string(),
        ["smembers", key] => {
            let mut members = connection.smembers(key).await?;
            members.sort();
            format!("{members:?}")
        }
        ["srem", key, ref values @ ..] => connection.srem(key, values).await?.to_string(),
        ["execute", command, ref arguments @ ..] => {
            let arguments = arguments.iter().map(|word| parameter(word));
            format!("{:?}", connection.execute(command, arguments).await?)
        }
        _ => "no such function".to_owned(),
    })
}

/// `#5` is a number, `0x00ff` two bytes, anything else a text.
fn parameter(word: &str) -> RedisParameter {
    if let Some(number) = word.strip_prefix('#').and_then(|digits| digits.parse().ok()) {
        return RedisParameter::Int64(number);
    }
    let Some(digits) = word.strip_prefix("0x") else {
        return RedisParameter::Binary(word.into());
    };
    let byte = |start| u8::from_str_radix(&digits[start..start + 2], 16).unwrap_or_default();
    RedisParameter::Binary((0..digits.len()).step_by(2).map(byte).collect())
}

/// Opens connections until one is refused.
async fn fill(address: &str) -> String {
    let mut held = Vec::new();
    loop {
        match Redis::open(address).await {
            Ok(connection) => held.push(connection),
            Err(error) => return format!("{} open, then {error:?}", held.len()),
        }
    }
}

/// Drops a connection in the middle of a command that waits for ever.
async fn abandon(address: &str) -> Result<String, RedisError> {
    let connection = Redis::open(address).await?;
    let blocked = pin!(connection.execute("BLPOP", [parameter("nothing"), parameter("#0")]));
    let time = pin!(sleep(Duration::from_millis(100)));
    Ok(match select(blocked, time).await {
        Either::Left((answer, _)) => format!("{answer:?}"),
        Either::Right(_) => "abandoned".to_owned(),
    })
}

/// The blocking functions of the interface, which the SDK declares and does not use.
fn sync() -> Result<String> {
    let connection = raw::Connection::open("default")?;
    connection.execute("CREATE TABLE log (position INTEGER PRIMARY KEY, writer TEXT)", &[])?;
    connection.execute(
        "INSERT INTO log VALUES (?, ?)",
        &[Value::Integer(5), Value::Text("sync".to_owned())],
    )?;
    let (row, changes) = (connection.last_insert_rowid(), connection.changes());
    let result = connection.execute("SELECT * FROM log", &[])?;
    let error = connection.execute("nonsense", &[]).expect_err("refused");
    Ok(format!("{row} {changes} {:?} {:?}\n{error:?}\n", result.columns, result.rows[0].values))
}

/// A read and a write in one transaction, as an append by compare-and-swap does.
async fn insert(writer: &str) -> Result<String> {
    let connection = Connection::open_default().await?;
    connection.execute("BEGIN IMMEDIATE", []).await?.result().await?;
    let rows = connection.execute("SELECT count(*) FROM log", []).await?.collect().await?;
    let position = rows[0].values[0].clone();
    connection
        .execute("INSERT INTO log VALUES (?, ?)", [position, Value::Text(writer.to_owned())])
        .await?
        .result()
        .await?;
    connection.execute("COMMIT", []).await?.result().await?;
    Ok("ok".to_owned())
}
