//! The keys of the provider of tokens, kept in the store: an instance lives for seconds, and each
//! would fetch them again.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::wasip3::clocks::monotonic_clock;
use tidewire_access::{ASK_MS, JwkSet, KeyCache, MAX_SET_BYTES, Plan};
use tidewire_core::{Error, ErrorKind};

use crate::clock::now_ms;
use crate::complain::complain;
use crate::store::{ChannelStore, Store, StoredKeys};

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
                if ChannelStore::claim_keys(url, known.cache.asked_ms).await? {
                    let keys = ask(url).await;
                    if let Err(cause) = &keys {
                        complain(None, format!("JWKS_URL cannot be read: {cause}"));
                    }
                    ChannelStore::put_keys(url, keys.ok()).await?;
                }
            }
        }
        known = load(url).await?;
        is_new = true;
        KNOWN.set(known.clone());
    }
}

async fn load(url: &str) -> Result<Known, Error> {
    let StoredKeys { cache, json } = ChannelStore::keys(url).await?;
    let keys = json.and_then(|json| JwkSet::parse(json.as_bytes()).ok()).map(Rc::new);
    Ok(Known { cache, keys })
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
