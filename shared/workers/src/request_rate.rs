//! How often one identity may ask, before any channel is touched: the platform's own rate limiting, where the manifest binds it.
//!
//! Counted by Cloudflare in each of its locations, approximately; what must hold exactly is a [`Rate`](tidewire_core::Rate) of the function, which the channel keeps.
//! <https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/>

use tidewire_core::{Error, Identity, RequestHead};
use worker::Env;

use crate::respond::internal;

/// Name of the binding.
const REQUEST_RATE: &str = "REQUEST_RATE";

/// Admits a request of an identity: its subject, else its ticket, else the address that it comes from. Everything is admitted without the binding, and while the limiter fails.
pub(crate) async fn check_request_rate(env: &Env, identity: &Identity, head: &RequestHead<'_>) -> Result<(), Error> {
    let Ok(limiter) = env.rate_limiter(REQUEST_RATE) else { return Ok(()) };
    let key = identity.rate_key(&(head.headers)("cf-connecting-ip").unwrap_or_default());
    match limiter.limit(key).await {
        Ok(outcome) if !outcome.success => Err(Error::too_many_requests()),
        Ok(_) => Ok(()),
        Err(cause) => {
            // Logged there.
            internal(&cause);
            Ok(())
        }
    }
}
