//! The keys of the provider of tokens, kept in the store: an instance lives for seconds, and each
//! would fetch them again.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::sqlite::{Error as StoreError, Value};
use spin_sdk::wasip3::clocks::monotonic_clock;
use tidewire_access::{ASK_MS, JwkSet, KeyCache, MAX_SET_BYTES, Plan};
use tidewire_core::{Error, ErrorKind};

use crate::clock::now_ms;
use crate::complain::complain;
use crate::database::{Row, execute, integer, number, shared};
use crate::respond::internal;

/// Beside the schema of channels, because it is only a cache: one row, created when it is first
/// needed.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS provider_keys (
    url TEXT PRIMARY KEY,
    keys TEXT,
    fetched_ms INTEGER,
    asked_ms INTEGER NOT NULL,
    is_asking INTEGER NOT NULL
) WITHOUT ROWID";

/// How often a request checks whether another request has received the keys. It cannot be woken:
/// that would trap the instance.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Clone, Default)]
struct Known {
    cache: KeyCache,
    keys: Option<Rc<JwkSet>>,
}

thread_local! {
    /// The keys that this instance read last.
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// The keys, as [`KeyCache`] plans: one request of the application fetches them, while the others
/// wait or use the stored keys.
pub(crate) async fn provider_keys(url: &str, id: Option<&str>) -> Result<Rc<JwkSet>, Error> {
    let mut known = KNOWN.with_borrow(Clone::clone);
    let mut is_new = false;
    loop {
        match (known.cache.plan(known.keys.as_deref(), id, now_ms()), &known.keys) {
            (Plan::Use, Some(keys)) => return Ok(Rc::clone(keys)),
            // Another instance may have newer keys.
            _ if !is_new => {}
            (Plan::Use | Plan::Refuse, _) => {
                return Err(Error::new(
                    ErrorKind::KeysUnavailable,
                    "the keys at JWKS_URL are unavailable: retry in a few seconds",
                ));
            }
            (Plan::Wait, _) => pause(LOOK_EVERY).await,
            (Plan::Ask, _) => {
                if claim(url, known.cache.asked_ms).await.map_err(internal)? {
                    let keys = ask(url).await;
                    if let Err(cause) = &keys {
                        complain(None, format!("JWKS_URL cannot be read: {cause}"));
                    }
                    put(url, keys.ok()).await.map_err(internal)?;
                }
            }
        }
        known = load(url).await.map_err(internal)?;
        is_new = true;
        KNOWN.set(known.clone());
    }
}

async fn load(url: &str) -> Result<Known, StoreError> {
    let connection = shared().await?;
    execute(&connection, TABLE, vec![]).await?;
    let rows = execute(
        &connection,
        "SELECT keys, fetched_ms, asked_ms, is_asking FROM provider_keys WHERE url = ?",
        vec![Value::Text(url.into())],
    )
    .await?;
    Ok(rows.first().map(read).unwrap_or_default())
}

fn read(row: &Row) -> Known {
    let number = |index: usize| row.get(index).and_then(integer);
    let keys = match row.first() {
        Some(Value::Text(json)) => JwkSet::parse(json.as_bytes()).ok().map(Rc::new),
        _ => None,
    };
    Known {
        cache: KeyCache {
            fetched_ms: number(1),
            asked_ms: number(2),
            is_asking: number(3) == Some(1),
        },
        keys,
    }
}

/// Whether this request must fetch: no other has started since `asked_ms`.
async fn claim(url: &str, asked_ms: Option<u64>) -> Result<bool, StoreError> {
    let statement = "INSERT INTO provider_keys (url, asked_ms, is_asking) VALUES (?1, ?2, 1)
        ON CONFLICT (url) DO UPDATE SET asked_ms = ?2, is_asking = 1 WHERE asked_ms = ?3 RETURNING 1";
    let values =
        vec![Value::Text(url.into()), number(now_ms()), asked_ms.map_or(Value::Null, number)];
    Ok(!execute(&*shared().await?, statement, values).await?.is_empty())
}

async fn put(url: &str, keys: Option<String>) -> Result<(), StoreError> {
    let connection = shared().await?;
    let url = Value::Text(url.into());
    match keys {
        Some(keys) => {
            let statement =
                "UPDATE provider_keys SET is_asking = 0, fetched_ms = ?, keys = ? WHERE url = ?";
            execute(&connection, statement, vec![number(now_ms()), Value::Text(keys), url]).await?;
        }
        None => {
            execute(&connection, "UPDATE provider_keys SET is_asking = 0 WHERE url = ?", vec![url])
                .await?;
        }
    }
    Ok(())
}

/// The JWKS as published, after it was parsed successfully.
async fn ask(url: &str) -> Result<String, String> {
    match select(Box::pin(fetch(url)), Box::pin(pause(Duration::from_millis(ASK_MS)))).await {
        Either::Left((keys, _)) => keys,
        Either::Right(_) => Err(format!("no answer within {ASK_MS} ms")),
    }
}

async fn fetch(url: &str) -> Result<String, String> {
    let response = spin_sdk::http::get(url)
        .await
        .map_err(|cause| format!("{cause:?}; `jwks_origin` must be its scheme and host"))?;
    if response.status() != 200 {
        return Err(format!("it answered {}", response.status()));
    }
    let mut json = Vec::new();
    let mut chunks = response.into_body().stream();
    while let Some(chunk) = chunks.next().await {
        json.extend_from_slice(
            &chunk.map_err(|cause| format!("its body is incomplete: {cause:?}"))?,
        );
        if json.len() > MAX_SET_BYTES {
            return Err(format!("it must have at most {MAX_SET_BYTES} bytes"));
        }
    }
    JwkSet::parse(&json).map_err(|error| error.to_string())?;
    String::from_utf8(json).map_err(|error| error.to_string())
}

async fn pause(duration: Duration) {
    monotonic_clock::wait_for(duration.as_nanos() as u64).await;
}
