//! Removal of expired channels that no request touches any more.
//!
//! Spin has no timers, so an append to any channel starts a sweep occasionally. A sweep removes few
//! rows at once: while it writes, no other request can.

use std::cell::Cell;
use std::time::Duration;

use spin_sdk::wasip3::spawn;

use crate::clock::elapsed;
use crate::complain::complain;
use crate::store::{ChannelStore, Store};

/// Time between two sweeps of an instance.
const INTERVAL: Duration = Duration::from_secs(60);

/// Most channels of one sweep, each in its own transaction.
const CHANNELS: u64 = 16;

/// Most events, and most producers, that a sweep removes of a channel; the next sweep continues.
const ROWS: u64 = 1_000;

thread_local! {
    static LAST: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Starts a sweep, unless this instance had one recently. The answer does not wait for it.
pub(crate) fn sweep() {
    let now = elapsed();
    if LAST.get().is_some_and(|last| now < last + INTERVAL) {
        return;
    }
    LAST.set(Some(now));
    spawn(async {
        if let Err(cause) = ChannelStore::remove_expired(CHANNELS, ROWS).await {
            complain(None, format!("a sweep failed, the next one retries: {cause}"));
        }
    });
}
