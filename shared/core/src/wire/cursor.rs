//! The cursor by which caches in front of a channel distinguish long polls.
//!
//! Durable Streams, section 10: the cursor is not a position, but the number of the present
//! 20-second interval.

/// 2024-10-09T00:00:00Z, from which Durable Streams counts, in milliseconds.
const EPOCH_MS: u64 = 1_728_432_000_000;
const INTERVAL_MS: u64 = 20_000;
/// Most intervals by which a repeated cursor is advanced: an hour.
const MAX_JITTER: u64 = 180;

/// The cursor to return: of the present interval, and always above the one the client sent.
///
/// `entropy` spreads clients that sent the same cursor, so that they do not meet again.
pub fn next_cursor(now_ms: u64, sent: Option<u64>, entropy: u32) -> u64 {
    let present = now_ms.saturating_sub(EPOCH_MS) / INTERVAL_MS;
    match sent {
        Some(sent) if sent >= present => sent.saturating_add(1 + u64::from(entropy) % MAX_JITTER),
        _ => present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_above_what_the_client_sent() {
        let now = EPOCH_MS + 7 * INTERVAL_MS;
        assert_eq!(next_cursor(now, None, 9), 7);
        assert_eq!(next_cursor(now, Some(3), 9), 7);
        assert_eq!(next_cursor(now, Some(7), 9), 17);
        assert!(next_cursor(now, Some(9_000), u32::MAX) > 9_000);
    }
}
