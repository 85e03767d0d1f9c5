//! Removal of expired channels that no request touches any more.
//!
//! Spin has no timers, so an append to any channel starts a sweep occasionally. A sweep removes few
//! rows at once: while it writes, nobody else can.

use std::cell::Cell;
use std::time::Duration;

use spin_sdk::sqlite::Error;
use spin_sdk::wasip3::spawn;

use crate::clock::{elapsed, now_ms};
use crate::complain::complain;
use crate::database::{Transaction, execute, integer, number, shared};

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
        if let Err(cause) = remove_expired().await {
            complain(None, format!("a sweep failed, the next one retries: {cause}"));
        }
    });
}

async fn remove_expired() -> Result<(), Error> {
    let connection = shared().await?;
    execute(&connection, "DELETE FROM revocations WHERE until_ms <= ?", vec![number(now_ms())])
        .await?;
    let expired = "SELECT id, epoch FROM channels WHERE coalesce(expires_at_ms, touched_at_ms + ttl_s * 1000) <= ? LIMIT ?";
    for row in execute(&connection, expired, vec![number(now_ms()), number(CHANNELS)]).await? {
        let [id, epoch] = row.as_slice() else { continue };
        let (Some(id), Some(epoch)) = (integer(id), integer(epoch)) else { continue };
        let transaction = Transaction::begin().await?;
        // An expired channel stays expired, and no other channel ever has its id.
        for (table, key) in [("events", "seq"), ("producers", "id")] {
            let statement = format!(
                "DELETE FROM {table} WHERE channel = ?1 AND {key} IN (SELECT {key} FROM {table} WHERE channel = ?1 LIMIT ?2)"
            );
            transaction.execute(&statement, vec![number(id), number(ROWS)]).await?;
        }
        transaction
            .execute("UPDATE store SET last_epoch = max(last_epoch, ?)", vec![number(epoch)])
            .await?;
        let emptied = "DELETE FROM channels WHERE id = ?1
                       AND NOT EXISTS (SELECT 1 FROM events WHERE channel = ?1) AND NOT EXISTS (SELECT 1 FROM producers WHERE channel = ?1)";
        transaction.execute(emptied, vec![number(id)]).await?;
        transaction.commit().await?;
    }
    Ok(())
}
