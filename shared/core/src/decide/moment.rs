//! The time and the random number of one decision, which the adapter supplies.

/// When it is, and what chance says.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// A random number; it spreads only cache keys and reconnects.
    pub entropy: u32,
    /// Epoch of an earlier channel of this name, as far as known; 0 if none.
    pub last_epoch: u64,
}

impl Moment {
    pub(crate) fn epoch(&self) -> u64 {
        self.now_ms.max(self.last_epoch + 1)
    }
}
