//! The identity behind a request.

use tidewire_access::{RustCrypto, identify};
use tidewire_core::{Identity, LocalFuture, RequestHead, Result, Settings};

use crate::provider_keys::Provider;

/// Verifies the credential of a request to the function of this name.
pub(crate) fn identity<'a>(
    function: &'a str,
    head: &'a RequestHead<'_>,
    settings: &'a Settings,
) -> LocalFuture<'a, Result<Identity>> {
    Box::pin(identify(function, head, settings, &Provider, &RustCrypto))
}
