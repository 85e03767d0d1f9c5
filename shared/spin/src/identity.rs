//! The identity of a client, before the request reaches a channel.

use tidewire_access::{Access, Step};
use tidewire_core::{Error, Identity, RequestHead, Settings};

use crate::clock::now_ms;
use crate::provider_keys::provider_keys;

/// Verifies the credential of a request, with the provider's keys if it needs them.
pub(crate) async fn identify(
    function: &str,
    head: &RequestHead<'_>,
    settings: &Settings,
) -> Result<Identity, Error> {
    match Access::new(function, settings)?.identify(head, now_ms())? {
        Step::Known(identity) => Ok(identity),
        Step::NeedsKeys(token) => {
            let keys = provider_keys(&settings.jwks_url, token.key()).await?;
            token.verify(&keys, now_ms()).map(Identity::Token)
        }
    }
}
