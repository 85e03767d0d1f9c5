//! Erasure of a tenant's channels.

use tidewire_core::{LocalFuture, Result, Tenant};

use crate::store::{ChannelStore, Store};

/// Removes whole channels of a function's tenant; `false` if more are left. Their readers find out
/// at their next look.
pub(crate) fn erase<'a>(function: &'a str, tenant: &'a Tenant) -> LocalFuture<'a, Result<bool>> {
    Box::pin(async move { Ok(ChannelStore::erase_tenant(function, tenant).await?) })
}
