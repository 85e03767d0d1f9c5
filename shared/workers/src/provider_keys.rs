//! The keys of the provider of tokens, kept for all requests of the isolate.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tidewire_access::{ASK_MS, JwkSet, KeyCache, MAX_SET_BYTES, Plan};
use tidewire_core::{Error, ErrorKind};
use worker::{
    AbortController, Delay, Fetch, Method, Request, RequestInit, RequestRedirect, Result,
};

use crate::clock::now_ms;

thread_local! {
    /// One provider: `JWKS_URL` is the same for every function of a Worker.
    static KNOWN: RefCell<Known> = RefCell::default();
}

#[derive(Default)]
struct Known {
    cache: KeyCache,
    keys: Option<Rc<JwkSet>>,
}

/// How often a request checks whether another request has received the keys. It cannot be woken:
/// the platform lets no request use another's I/O.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The keys, as [`KeyCache`] plans: one request fetches them, while the others wait or use the
/// present keys.
pub(crate) async fn provider_keys(url: &str, id: Option<&str>) -> Result<Rc<JwkSet>, Error> {
    loop {
        let began_ms = now_ms();
        let (plan, keys) = KNOWN.with_borrow(|known| {
            (known.cache.plan(known.keys.as_deref(), id, began_ms), known.keys.clone())
        });
        match (plan, keys) {
            (Plan::Use, Some(keys)) => return Ok(keys),
            (Plan::Use | Plan::Refuse, _) => {
                return Err(Error::new(
                    ErrorKind::KeysUnavailable,
                    "the keys at JWKS_URL are unavailable: retry in a few seconds",
                ));
            }
            (Plan::Wait, _) => Delay::from(LOOK_EVERY).await,
            (Plan::Ask, _) => {
                KNOWN.with_borrow_mut(|known| known.cache.begin(began_ms));
                let keys = ask(url).await;
                KNOWN.with_borrow_mut(|known| {
                    known.cache.end(keys.is_ok(), now_ms());
                    match keys {
                        Ok(keys) => known.keys = Some(Rc::new(keys)),
                        Err(cause) => worker::console_error!(
                            "{}",
                            tidewire_core::fault(
                                None,
                                &format!("JWKS_URL cannot be read: {cause}")
                            )
                        ),
                    }
                });
            }
        }
    }
}

async fn ask(url: &str) -> Result<JwkSet> {
    let controller = AbortController::default();
    let signal = controller.signal();
    match select(Box::pin(fetch(url, &signal)), Delay::from(Duration::from_millis(ASK_MS))).await {
        Either::Left((keys, _)) => keys,
        Either::Right(_) => {
            controller.abort();
            Err(worker::Error::RustError(format!("no answer within {ASK_MS} ms")))
        }
    }
}

async fn fetch(url: &str, signal: &worker::AbortSignal) -> Result<JwkSet> {
    let mut init = RequestInit::new();
    // The target of a redirect is not the address in the setting.
    init.with_method(Method::Get).with_redirect(RequestRedirect::Manual);
    let mut response =
        Fetch::Request(Request::new_with_init(url, &init)?).send_with_signal(signal).await?;
    if response.status_code() != 200 {
        return Err(worker::Error::RustError(format!("it answered {}", response.status_code())));
    }
    let mut json = Vec::new();
    let mut chunks = response.stream()?;
    while let Some(chunk) = chunks.next().await {
        json.extend(chunk?);
        if json.len() > MAX_SET_BYTES {
            return Err(worker::Error::RustError(format!(
                "it must have at most {MAX_SET_BYTES} bytes"
            )));
        }
    }
    JwkSet::parse(&json).map_err(|error| worker::Error::RustError(error.to_string()))
}
