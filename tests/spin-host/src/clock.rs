//! The wall clock of guests: the real clock, which the control port can shift.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime_wasi::HostWallClock;

/// Milliseconds between the real time and the time of guests. All instances share it.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Replaces an earlier shift; 0 is the real time.
    pub fn shift_ms(&self, shift: i64) {
        self.0.store(shift, Relaxed);
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        let shift = self.0.load(Relaxed);
        let moved = Duration::from_millis(shift.unsigned_abs());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if shift < 0 { now.saturating_sub(moved) } else { now + moved }
    }
}
