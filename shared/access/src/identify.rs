//! The identity behind a request, with the keys of the provider where it needs them.

use tidewire_core::{Identity, RequestHead, Result, Settings};

use crate::access::{Access, Step};
use crate::provider_keys::{KeySource, provider_keys};
use crate::signatures::Signatures;

/// Verifies the credential of a request to the function of this name, before the request reaches a
/// channel. `source` fetches and keeps the provider's keys, and `signatures` verifies with them;
/// only a token needs both.
///
/// # Errors
///
/// Those of [`Access::new`], [`Access::identify`], `source` and
/// [`UnverifiedToken::verify`](crate::UnverifiedToken::verify), and
/// [`ErrorKind::KeysUnavailable`](tidewire_core::ErrorKind::KeysUnavailable) without the keys.
pub async fn identify(
    function: &str,
    head: &RequestHead<'_>,
    settings: &Settings,
    source: &impl KeySource,
    signatures: &impl Signatures,
) -> Result<Identity> {
    match Access::new(function, settings)?.identify(head, source.now_ms())? {
        Step::Known(identity) => Ok(identity),
        Step::NeedsKeys(token) => {
            let keys = provider_keys(source, &settings.jwks_url, token.key()).await?;
            token.verify(&keys, signatures, source.now_ms()).await.map(Identity::Token)
        }
    }
}
