//! The identity behind a request, with the keys of the provider where it needs them.

use std::rc::Rc;

use tidewire_core::{Identity, RequestHead, Result, Settings};

use crate::access::{Access, Step};
use crate::jwks::JwkSet;

/// Verifies the credential of a request to the function of this name, before the request reaches a
/// channel. `provider_keys` returns the keys at a URL, given the `kid` that a token names, as
/// [`KeyCache`](crate::KeyCache) plans; only a token needs them.
///
/// # Errors
///
/// Those of [`Access::new`], [`Access::identify`], `provider_keys` and
/// [`UnverifiedToken::verify`](crate::UnverifiedToken::verify).
pub async fn identify(
    function: &str,
    head: &RequestHead<'_>,
    settings: &Settings,
    now_ms: fn() -> u64,
    provider_keys: impl AsyncFnOnce(&str, Option<&str>) -> Result<Rc<JwkSet>>,
) -> Result<Identity> {
    match Access::new(function, settings)?.identify(head, now_ms())? {
        Step::Known(identity) => Ok(identity),
        Step::NeedsKeys(token) => {
            let keys = provider_keys(&settings.jwks_url, token.key()).await?;
            token.verify(&keys, now_ms()).map(Identity::Token)
        }
    }
}
