//! Erasure of a tenant's channels.

use spin_sdk::sqlite::{Error as StoreError, Value};
use tidewire_core::{LocalFuture, Result, Tenant};

use crate::database::{Transaction, number, shared};
use crate::respond::internal;

/// Most channels of one request: while it writes, nobody else can.
const CHANNELS: u64 = 100;

/// Removes whole channels of a function's tenant; `false` if more are left. Their readers find out
/// at their next look.
pub(crate) fn erase<'a>(function: &'a str, tenant: &'a Tenant) -> LocalFuture<'a, Result<bool>> {
    Box::pin(async move { erase_channels(function, tenant).await.map_err(internal) })
}

async fn erase_channels(function: &str, tenant: &Tenant) -> Result<bool, StoreError> {
    // The first connection creates the tables.
    shared().await?;
    let from = format!("{function}/{}", tenant.beginning());
    // `;` follows `:`, so every name with this prefix lies between the two.
    let to = format!("{};", from.strip_suffix(':').unwrap_or(&from));
    let values = || vec![Value::Text(from.clone()), Value::Text(to.clone())];
    let limited = || values().into_iter().chain([number(CHANNELS)]).collect();
    let transaction = Transaction::begin().await?;
    let channels = "SELECT id FROM channels WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3";
    for table in ["events", "producers"] {
        transaction
            .execute(&format!("DELETE FROM {table} WHERE channel IN ({channels})"), limited())
            .await?;
    }
    let newest = "UPDATE store SET last_epoch = max(last_epoch, coalesce((SELECT max(epoch) FROM channels WHERE name >= ?1 AND name < ?2), 0))";
    transaction.execute(newest, values()).await?;
    transaction
        .execute(&format!("DELETE FROM channels WHERE id IN ({channels})"), limited())
        .await?;
    transaction
        .execute("DELETE FROM presence WHERE channel >= ?1 AND channel < ?2", values())
        .await?;
    let left = transaction
        .execute("SELECT 1 FROM channels WHERE name >= ?1 AND name < ?2 LIMIT 1", values())
        .await?;
    transaction.commit().await?;
    Ok(left.is_empty())
}
