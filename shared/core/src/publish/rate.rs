//! How often a publisher may publish.
//!
//! The generic cell rate algorithm: the channel stores for a publisher only the time until which
//! its events keep the channel busy, so a limit costs one number and no timer.

use super::producer::ProducerState;
use crate::error::{Error, ErrorKind, Result};

/// At most this many events in a period, at once or spread over it. A publish above it is refused
/// whole with [`ErrorKind::RateExceeded`], which says when to retry.
///
/// Counted in whole milliseconds: a rate above one event a millisecond limits batches only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Events, at least 1.
    pub events: u64,
    /// The period, in milliseconds.
    pub per_ms: u64,
}

impl Rate {
    /// The state to store for a publisher after it published `count` events now: the time until
    /// which it is busy, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RateExceeded`]; [`ErrorKind::BatchTooLarge`] for more events than the rate ever
    /// allows at once.
    pub(crate) fn check(
        self,
        who: &str,
        known: Option<ProducerState>,
        count: u64,
        now_ms: u64,
    ) -> Result<u64> {
        if count > self.events {
            let why = format!(
                "one publish has {count} events; {who} may publish at most {} in {} ms",
                self.events, self.per_ms
            );
            return Err(Error::new(ErrorKind::BatchTooLarge, why));
        }
        let limit_ms = now_ms + self.per_ms;
        // If the clock was set back, the wait is at most one full period.
        let busy_until_ms = known.map_or(0, |known| known.busy_until_ms).clamp(now_ms, limit_ms)
            + count * self.per_ms / self.events.max(1);
        match busy_until_ms.checked_sub(limit_ms) {
            Some(wait_ms) if wait_ms > 0 => {
                let why = format!(
                    "{who} may publish at most {} events in {} ms: retry in {wait_ms} ms",
                    self.events, self.per_ms
                );
                Err(Error::later(ErrorKind::RateExceeded, why, wait_ms))
            }
            _ => Ok(busy_until_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_IN_TEN_SECONDS: Rate = Rate { events: 10, per_ms: 10_000 };

    fn check(busy_until_ms: u64, count: u64, now_ms: u64) -> Result<u64> {
        TEN_IN_TEN_SECONDS.check(
            "you",
            Some(ProducerState { epoch: 0, seq: 0, busy_until_ms }),
            count,
            now_ms,
        )
    }

    #[test]
    fn admits_a_burst_and_then_what_the_rate_gives() {
        let mut busy_until_ms = TEN_IN_TEN_SECONDS.check("you", None, 1, 50_000).unwrap();
        for _ in 1..10 {
            busy_until_ms = check(busy_until_ms, 1, 50_000).unwrap();
        }
        let error = check(busy_until_ms, 1, 50_000).unwrap_err();
        assert_eq!((error.kind(), error.retry_after_ms()), (ErrorKind::RateExceeded, Some(1_000)));
        assert_eq!(check(busy_until_ms, 1, 50_999).unwrap_err().retry_after_ms(), Some(1));
        assert!(check(busy_until_ms, 1, 51_000).is_ok());
        assert!(check(busy_until_ms, 10, 60_000).is_ok());
    }

    #[test]
    fn refuses_a_batch_that_can_never_come() {
        assert!(check(0, 10, 50_000).is_ok());
        assert_eq!(check(0, 11, 50_000).unwrap_err().kind(), ErrorKind::BatchTooLarge);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        assert_eq!(check(90_000_000, 1, 50_000).unwrap_err().retry_after_ms(), Some(1_000));
    }
}
