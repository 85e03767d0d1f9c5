//! The keys of the provider of tokens, kept in the store: an instance lives for seconds, and each
//! would fetch them again.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::wasip3::clocks::monotonic_clock;
use tidewire_access::{Fetched, JwkSet, KeySource, MAX_SET_BYTES, ProviderKeys};
use tidewire_core::{Error, read_body};

use crate::clock::now_ms;
use crate::complain::complain;
use crate::store::{ChannelStore, Store, StoredKeys};

thread_local! {
    /// The keys that this instance read last.
    static KNOWN: RefCell<ProviderKeys> = RefCell::default();
}

/// The store, which all requests of the application share, and the provider.
pub(crate) struct Provider;

impl KeySource for Provider {
    fn at_hand(&self, _: &str) -> ProviderKeys {
        KNOWN.with_borrow(Clone::clone)
    }

    async fn kept(&self, url: &str) -> Result<ProviderKeys, Error> {
        let StoredKeys { cache, json } = ChannelStore::keys(url).await?;
        let keys = json.and_then(|json| JwkSet::parse(json.as_bytes()).ok()).map(Rc::new);
        let known = ProviderKeys { cache, keys };
        KNOWN.set(known.clone());
        Ok(known)
    }

    async fn claim(&self, url: &str, asked_ms: Option<u64>) -> Result<bool, Error> {
        Ok(ChannelStore::claim_keys(url, asked_ms).await?)
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let response = spin_sdk::http::get(url)
            .await
            .map_err(|cause| format!("{cause:?}; `jwks_origin` must be its scheme and host"))?;
        if response.status() != 200 {
            return Err(format!("it answered {}", response.status()));
        }
        let mut chunks = response.into_body().stream();
        read_body(MAX_SET_BYTES as u64, async || chunks.next().await)
            .await
            .map_err(|error| error.to_string())
    }

    async fn keep(&self, url: &str, fetched: Option<Fetched>) -> Result<(), Error> {
        Ok(ChannelStore::put_keys(url, fetched.map(|fetched| fetched.json)).await?)
    }

    async fn pause(&self, duration: Duration) {
        monotonic_clock::wait_for(duration.as_nanos() as u64).await;
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn complain(&self, cause: &str) {
        complain(None, cause);
    }
}
