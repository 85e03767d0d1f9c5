//! The health of the store, as this instance sees it.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use tidewire_core::StoreHealth;

use super::{ChannelStore, Result, Store};
use crate::clock::elapsed;

thread_local! {
    static LOOK: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static RECONNECTS: Cell<u64> = const { Cell::new(0) };
}

/// Notes how long a look takes that succeeds. The connection is open before.
pub(super) async fn timed<T>(look: impl Future<Output = Result<T>>) -> Result<T> {
    let began = elapsed();
    let looked = look.await?;
    LOOK.set(elapsed().saturating_sub(began));
    Ok(looked)
}

/// Notes that the connection failed, so that the next call opens another one.
#[cfg(feature = "redis")]
pub(super) fn count_reconnect() {
    RECONNECTS.set(RECONNECTS.get() + 1);
}

/// The figures of the store for stats.
pub(crate) fn health() -> StoreHealth {
    StoreHealth { engine: ChannelStore::ENGINE, look: LOOK.get(), reconnects: RECONNECTS.get() }
}
