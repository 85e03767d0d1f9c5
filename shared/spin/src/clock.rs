//! Time on Spin.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spin_sdk::wasip3::clocks::monotonic_clock;

/// Wall time in milliseconds since 1970, for what is stored.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Time of this instance, for intervals only: it starts near zero in each instance.
pub(crate) fn elapsed() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

/// A moment by both clocks: the wall clock may be set, and what ends by it must not wait for the
/// other.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    elapsed: Duration,
    now_ms: u64,
}

impl Time {
    pub(crate) fn now() -> Time {
        Time { elapsed: elapsed(), now_ms: now_ms() }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(self) -> u64 {
        self.now_ms
    }

    pub(crate) fn after_ms(self, wait_ms: u64) -> Time {
        Time {
            elapsed: self.elapsed.saturating_add(Duration::from_millis(wait_ms)),
            now_ms: self.now_ms.saturating_add(wait_ms),
        }
    }

    /// Whether it is this time by either clock.
    pub(crate) fn has_come(self, now: Time) -> bool {
        self.elapsed <= now.elapsed || self.now_ms <= now.now_ms
    }
}

/// Sleeps to the next multiple of the interval and returns it.
pub(crate) async fn next_tick(interval: Duration) -> Duration {
    let interval = interval_ns(interval);
    let tick = (monotonic_clock::now() / interval + 1) * interval;
    monotonic_clock::wait_until(tick).await;
    Duration::from_nanos(tick)
}

fn interval_ns(interval: Duration) -> u64 {
    interval.as_nanos().max(1) as u64
}

/// A random number for values that must only differ: cache keys and reconnection times.
pub(crate) fn entropy() -> u32 {
    spin_sdk::wasip3::random::random::get_random_u64() as u32
}
