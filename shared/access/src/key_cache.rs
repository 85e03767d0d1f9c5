//! When to fetch a provider's keys, and how long to trust them.

use crate::JwkSet;

/// How long keys are used before they are fetched again, in milliseconds: a withdrawn key stays
/// trusted for this long.
const FRESH_MS: u64 = 10 * 60_000;
/// How long they are used while the provider does not answer, in milliseconds.
const KEPT_MS: u64 = 24 * 3_600_000;
/// Least time between two fetches, in milliseconds. Tokens with an unknown `kid` cause at most one
/// fetch in this time.
const FLOOR_MS: u64 = 30_000;
/// Least time between two fetches while there are no keys, and no token works. It is longer than
/// [`ASK_MS`]: otherwise a request whose fetch had no answer, and each request that waited for it,
/// would begin the next fetch instead of being refused.
const FLOOR_WITHOUT_KEYS_MS: u64 = 2 * ASK_MS;

/// Longest wait for an answer, in milliseconds; then the provider counts as unavailable.
pub(crate) const ASK_MS: u64 = 5_000;

/// The state of a provider's keys, without the keys: an adapter keeps both where all its requests
/// find them.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyCache {
    /// When the keys arrived, in milliseconds since 1970.
    pub fetched_ms: Option<u64>,
    /// When they were last requested, with or without success.
    pub asked_ms: Option<u64>,
    /// Whether that request is still pending.
    pub is_asking: bool,
}

/// What to do with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Verify it with the keys at hand.
    Use,
    /// Fetch the provider's keys, and plan again.
    Ask,
    /// Another request is fetching the keys: plan again a little later.
    Wait,
    /// There are no keys, and it is too early to fetch again: answer 503.
    Refuse,
}

impl KeyCache {
    /// Plans the verification of a token, given the keys at hand and the `kid` that it names.
    pub(crate) fn plan(&self, keys: Option<&JwkSet>, id: Option<&str>, now_ms: u64) -> Plan {
        let age_ms = |moment: Option<u64>| moment.map(|moment| now_ms.saturating_sub(moment));
        let keys = keys.filter(|_| age_ms(self.fetched_ms).is_some_and(|age| age < KEPT_MS));
        let is_known = keys.is_some_and(|keys| keys.knows(id));
        // The request that was fetching may have been cancelled.
        if self.is_asking && age_ms(self.asked_ms).is_some_and(|age| age < ASK_MS) {
            return if is_known { Plan::Use } else { Plan::Wait };
        }
        let floor = if keys.is_some() { FLOOR_MS } else { FLOOR_WITHOUT_KEYS_MS };
        let may_ask = age_ms(self.asked_ms).is_none_or(|age| age >= floor);
        let is_fresh = age_ms(self.fetched_ms).is_some_and(|age| age < FRESH_MS);
        match keys {
            _ if may_ask && !(is_known && is_fresh) => Plan::Ask,
            Some(_) => Plan::Use,
            None => Plan::Refuse,
        }
    }

    /// Records that a request fetches the keys now; others wait for its answer.
    pub fn begin(&mut self, now_ms: u64) {
        (self.asked_ms, self.is_asking) = (Some(now_ms), true);
    }

    /// Records that the fetch ended, with keys or without.
    pub fn end(&mut self, has_keys: bool, now_ms: u64) {
        self.is_asking = false;
        if has_keys {
            self.fetched_ms = Some(now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn keys() -> JwkSet {
        JwkSet::parse(br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#).unwrap()
    }

    fn plan(fetched_ms: Option<u64>, asked_ms: Option<u64>, id: &str) -> Plan {
        KeyCache { fetched_ms, asked_ms, is_asking: false }.plan(
            fetched_ms.map(|_| keys()).as_ref(),
            Some(id),
            NOW,
        )
    }

    #[test]
    fn asks_when_it_has_none_and_not_again_at_once() {
        assert_eq!(plan(None, None, "a"), Plan::Ask);
        assert_eq!(plan(None, Some(NOW - 9_999), "a"), Plan::Refuse);
        assert_eq!(plan(None, Some(NOW - 10_000), "a"), Plan::Ask);
    }

    #[test]
    fn uses_what_is_fresh_and_known() {
        assert_eq!(plan(Some(NOW - 599_999), Some(NOW - 599_999), "a"), Plan::Use);
        assert_eq!(plan(Some(NOW - 600_000), Some(NOW - 600_000), "a"), Plan::Ask);
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_in_a_while() {
        assert_eq!(plan(Some(NOW - 30_000), Some(NOW - 30_000), "b"), Plan::Ask);
        assert_eq!(plan(Some(NOW - 30_000), Some(NOW - 29_999), "b"), Plan::Use);
    }

    #[test]
    fn keys_outlast_their_provider_by_a_day() {
        assert_eq!(plan(Some(NOW - 700_000), Some(NOW - 1), "a"), Plan::Use);
        assert_eq!(plan(Some(NOW - 24 * 3_600_000), Some(NOW - 1), "a"), Plan::Refuse);
    }

    #[test]
    fn one_asks_while_the_others_use_what_they_can_or_wait() {
        let mut cache = KeyCache::default();
        cache.begin(NOW);
        assert_eq!(
            (cache.plan(None, Some("a"), NOW), cache.plan(Some(&keys()), Some("a"), NOW)),
            (Plan::Wait, Plan::Wait)
        );
        cache.fetched_ms = Some(NOW);
        assert_eq!(
            (cache.plan(Some(&keys()), Some("a"), NOW), cache.plan(Some(&keys()), Some("b"), NOW)),
            (Plan::Use, Plan::Wait)
        );
        cache.fetched_ms = None;
        assert_eq!(cache.plan(None, Some("a"), NOW + ASK_MS), Plan::Refuse);
        assert_eq!(cache.plan(None, Some("a"), NOW + 2 * ASK_MS), Plan::Ask);
        cache.end(false, NOW + 1);
        assert_eq!(cache.plan(None, Some("a"), NOW + 1), Plan::Refuse);
        cache.end(true, NOW + 1);
        assert_eq!(cache.plan(Some(&keys()), Some("a"), NOW + 1), Plan::Use);
    }
}
