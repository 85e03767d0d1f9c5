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

/// Sleeps to the next multiple of the interval and returns it: every stream of the instance wakes
/// at the same ticks.
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
