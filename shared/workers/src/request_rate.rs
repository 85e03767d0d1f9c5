//! The rate of requests of one identity, before they reach a channel: the platform's own rate
//! limiting, if the manifest binds it.
//!
//! Cloudflare counts in each of its locations, approximately. For an exact limit use a
//! [`Rate`](tidewire_core::Rate) of the function, which the channel keeps.
//! <https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/>

use std::cell::Cell;

use tidewire_core::{Error, Identity, RequestHead};
use worker::Env;

use crate::respond::internal;

/// Name of the binding.
const REQUEST_RATE: &str = "REQUEST_RATE";

thread_local! {
    /// Whether the manifest is known not to bind it. Other bindings mean another isolate.
    static IS_ABSENT: Cell<bool> = const { Cell::new(false) };
}

/// Admits a request of an identity: its subject, else its ticket, else its address. Without the
/// binding, and while the limiter fails, everything is admitted.
pub(crate) async fn check_request_rate(
    env: &Env,
    identity: &Identity,
    head: &RequestHead<'_>,
) -> Result<(), Error> {
    if IS_ABSENT.get() {
        return Ok(());
    }
    let Ok(limiter) = env.rate_limiter(REQUEST_RATE) else {
        IS_ABSENT.set(true);
        return Ok(());
    };
    let key = identity.rate_key(&(head.headers)("cf-connecting-ip").unwrap_or_default());
    match limiter.limit(key).await {
        Ok(outcome) if !outcome.success => Err(Error::too_many_requests()),
        Ok(_) => Ok(()),
        Err(cause) => {
            // `internal` logs it.
            internal(&cause);
            Ok(())
        }
    }
}
