//! What to do after an outcome: retry, give the message up, or remove the subscription.

use crate::outcome::{Fault, Outcome};

/// Age at which a message is given up, in milliseconds: a day. After that it does
/// not help a device that was online and did not get it.
pub const MAX_AGE_MS: u64 = 86_400_000;

/// How often a message is tried; the waits between add up to about an hour.
const MAX_ATTEMPTS: u32 = 8;

/// The first wait, in milliseconds; each further wait is twice as long.
const FIRST_WAIT_MS: u64 = 30_000;

/// Refusals in a row after which a subscription is removed: some services have no better word for
/// a subscription that has ended.
const MAX_REFUSALS: u32 = 5;

/// An attempt to send a message to a subscription, and what came before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Attempts of this message before this one.
    pub before: u32,
    /// Messages that the service refused since it last accepted one for this subscription.
    pub refused: u32,
    /// When the message is no longer worth sending, in milliseconds since 1970: when it was
    /// published, and its life or [`MAX_AGE_MS`], whichever is shorter.
    pub ends_ms: u64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The message is sent: forget failures.
    Done,
    /// Send the message again.
    Retry {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// Send nothing to the origin until then, for other subscriptions too.
        whole_service: bool,
        /// With a new token: [`crate::Tokens::forget`] the old one.
        fresh_token: bool,
    },
    /// Give this message up and count it; the next one is sent.
    Drop {
        /// Why.
        reason: Reason,
        /// The new number of refusals of the subscription.
        refused: u32,
    },
    /// Remove the subscription and count it.
    Remove(Reason),
}

/// Why a message or a subscription is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The subscription has ended.
    Gone,
    /// The service refuses what we send.
    Refused,
    /// The message is too large for the service.
    TooLarge,
    /// All attempts failed.
    Attempts,
    /// The message is no longer worth sending.
    Expired,
}

impl Outcome {
    /// Decides what to do after the attempt. `entropy` is a random number, which spreads retries by
    /// a fifth to either side.
    #[must_use]
    pub fn step(&self, attempt: Attempt, now_ms: u64, entropy: u32) -> Step {
        let drop = |reason| Step::Drop { reason, refused: attempt.refused };
        match self {
            Outcome::Sent => Step::Done,
            Outcome::Gone => Step::Remove(Reason::Gone),
            Outcome::TooLarge => drop(Reason::TooLarge),
            Outcome::Later { retry_after_ms, whole_service } => {
                if attempt.before.saturating_add(1) >= MAX_ATTEMPTS {
                    return drop(Reason::Attempts);
                }
                let wait_ms =
                    (FIRST_WAIT_MS << attempt.before) / 1_000 * (800 + u64::from(entropy % 401));
                let at_ms = now_ms.saturating_add(wait_ms.max(retry_after_ms.unwrap_or_default()));
                if at_ms >= attempt.ends_ms {
                    return drop(Reason::Expired);
                }
                Step::Retry { at_ms, whole_service: *whole_service, fresh_token: false }
            }
            // The token may have been made before a clock was set.
            Outcome::OurFault { fault: Fault::Token | Fault::OtherKey, .. }
                if attempt.before == 0 =>
            {
                Step::Retry { at_ms: now_ms, whole_service: false, fresh_token: true }
            }
            // Every message to the service has this fault: no subscription is to blame.
            Outcome::OurFault { fault: Fault::Token, .. } => drop(Reason::Refused),
            Outcome::OurFault { .. } => match attempt.refused.saturating_add(1) {
                MAX_REFUSALS.. => Step::Remove(Reason::Refused),
                refused => Step::Drop { reason: Reason::Refused, refused },
            },
        }
    }
}

impl Reason {
    /// Stable name for stats and the log.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Reason::Gone => "gone",
            Reason::Refused => "refused",
            Reason::TooLarge => "too-large",
            Reason::Attempts => "attempts",
            Reason::Expired => "expired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;
    const LATER: Outcome = Outcome::Later { retry_after_ms: None, whole_service: false };
    /// The middle of the spread.
    const MIDDLE: u32 = 200;

    fn attempt(before: u32, refused: u32) -> Attempt {
        Attempt { before, refused, ends_ms: NOW_MS + MAX_AGE_MS }
    }

    fn wait_ms(step: Step) -> u64 {
        match step {
            Step::Retry { at_ms, .. } => at_ms - NOW_MS,
            other => panic!("{other:?}"),
        }
    }

    fn ours(fault: Fault) -> Outcome {
        Outcome::OurFault { fault, reason: String::new() }
    }

    #[test]
    fn what_is_sent_or_gone_needs_nothing_more() {
        assert_eq!(Outcome::Sent.step(attempt(3, 4), NOW_MS, 0), Step::Done);
        assert_eq!(Outcome::Gone.step(attempt(0, 0), NOW_MS, 0), Step::Remove(Reason::Gone));
        assert_eq!(
            Outcome::TooLarge.step(attempt(0, 2), NOW_MS, 0),
            Step::Drop { reason: Reason::TooLarge, refused: 2 }
        );
    }

    #[test]
    fn a_service_in_trouble_is_tried_8_times_in_about_an_hour() {
        let waits: Vec<_> = (0..7)
            .map(|before| wait_ms(LATER.step(attempt(before, 0), NOW_MS, MIDDLE)) / 1_000)
            .collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920]);
        assert_eq!(waits.iter().sum::<u64>() / 60, 63);
        for before in [7, 8, 63, 64, u32::MAX] {
            let dropped = Step::Drop { reason: Reason::Attempts, refused: 1 };
            assert_eq!(LATER.step(attempt(before, 1), NOW_MS, 0), dropped);
        }
    }

    #[test]
    fn retries_are_spread_by_a_fifth() {
        let waits: Vec<_> =
            (0..1_000).map(|entropy| wait_ms(LATER.step(attempt(0, 0), NOW_MS, entropy))).collect();
        assert_eq!((waits.iter().min(), waits.iter().max()), (Some(&24_000), Some(&36_000)));
        assert!((24_000..=36_000).contains(&wait_ms(LATER.step(attempt(0, 0), NOW_MS, u32::MAX))));
    }

    #[test]
    fn the_service_may_ask_for_a_longer_wait_but_not_for_a_shorter_one() {
        for (retry_after_ms, expected) in
            [(Some(0), 30_000), (Some(29_999), 30_000), (Some(45_000), 45_000)]
        {
            let later = Outcome::Later { retry_after_ms, whole_service: true };
            let step = later.step(attempt(0, 0), NOW_MS, MIDDLE);
            let at_ms = NOW_MS + expected;
            assert_eq!(step, Step::Retry { at_ms, whole_service: true, fresh_token: false });
        }
    }

    #[test]
    fn a_message_is_not_sent_after_its_end() {
        let expired = Step::Drop { reason: Reason::Expired, refused: 0 };
        for retry_after_ms in [MAX_AGE_MS, u64::MAX] {
            let later =
                Outcome::Later { retry_after_ms: Some(retry_after_ms), whole_service: false };
            assert_eq!(later.step(attempt(0, 0), NOW_MS, 0), expired);
        }
        let short = Attempt { ends_ms: NOW_MS + 30_000, ..attempt(0, 0) };
        assert_eq!(LATER.step(short, NOW_MS, MIDDLE), expired);
        let enough = Attempt { ends_ms: NOW_MS + 30_001, ..attempt(0, 0) };
        assert_eq!(wait_ms(LATER.step(enough, NOW_MS, MIDDLE)), 30_000);
    }

    #[test]
    fn a_refused_token_is_renewed_once_and_ends_no_subscription() {
        for fault in [Fault::Token, Fault::OtherKey] {
            assert_eq!(
                ours(fault).step(attempt(0, 4), NOW_MS, 0),
                Step::Retry { at_ms: NOW_MS, whole_service: false, fresh_token: true }
            );
        }
        assert_eq!(
            ours(Fault::Token).step(attempt(1, 4), NOW_MS, 0),
            Step::Drop { reason: Reason::Refused, refused: 4 }
        );
    }

    #[test]
    fn a_subscription_that_refuses_5_messages_in_a_row_is_removed() {
        for (fault, before) in [(Fault::Request, 0), (Fault::OtherKey, 1)] {
            for refused in 0..4 {
                assert_eq!(
                    ours(fault).step(attempt(before, refused), NOW_MS, 0),
                    Step::Drop { reason: Reason::Refused, refused: refused + 1 }
                );
            }
            for refused in [4, 5, u32::MAX] {
                assert_eq!(
                    ours(fault).step(attempt(before, refused), NOW_MS, 0),
                    Step::Remove(Reason::Refused)
                );
            }
        }
    }
}
