//! The keys of the provider of tokens, kept for all requests of the isolate.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use tidewire_access::{Fetched, KeySource, MAX_SET_BYTES, ProviderKeys};
use tidewire_core::{Error, fault, read_body};
use worker::{AbortController, Delay, Fetch, Headers};

use crate::clock::now_ms;
use crate::outgoing;

thread_local! {
    /// One provider: `JWKS_URL` is the same for every function of a Worker.
    static KNOWN: RefCell<ProviderKeys> = RefCell::default();
}

/// The memory of the isolate, and the provider.
pub(crate) struct Provider;

impl KeySource for Provider {
    fn at_hand(&self, _: &str) -> ProviderKeys {
        KNOWN.with_borrow(Clone::clone)
    }

    async fn kept(&self, url: &str) -> Result<ProviderKeys, Error> {
        Ok(self.at_hand(url))
    }

    /// No other request runs between [`kept`](KeySource::kept) and this.
    async fn claim(&self, _: &str, _: Option<u64>) -> Result<bool, Error> {
        KNOWN.with_borrow_mut(|known| known.cache.begin(now_ms()));
        Ok(true)
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        fetch(url).await.map_err(|cause| cause.to_string())
    }

    async fn keep(&self, _: &str, fetched: Option<Fetched>) -> Result<(), Error> {
        KNOWN.with_borrow_mut(|known| {
            known.cache.end(fetched.is_some(), now_ms());
            if let Some(Fetched { keys, .. }) = fetched {
                known.keys = Some(Rc::new(keys));
            }
        });
        Ok(())
    }

    async fn pause(&self, duration: Duration) {
        Delay::from(duration).await;
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn complain(&self, cause: &str) {
        worker::console_error!("{}", fault(None, &cause));
    }
}

/// Aborts a fetch that is dropped: the platform would continue it.
struct Abort(Option<AbortController>);

impl Drop for Abort {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

async fn fetch(url: &str) -> worker::Result<Vec<u8>> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let mut abort = Abort(Some(controller));
    let request = outgoing::request(url, &Headers::new(), None)?;
    let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
    if response.status_code() != 200 {
        return Err(worker::Error::RustError(format!("it answered {}", response.status_code())));
    }
    let mut chunks = response.stream()?;
    let json = read_body(MAX_SET_BYTES as u64, async || chunks.next().await)
        .await
        .map_err(|error| worker::Error::RustError(error.to_string()))?;
    abort.0 = None;
    Ok(json)
}
