//! The names of keys in Redis.

/// Before every key: one hash tag for all.
pub(super) const PREFIX: &str = "tw:{0}:";

/// After the name of a channel, in the order of the script.
const KEYS: [&str; 9] = ["m", "l", "p", "i", "o", "r", "v", "s", "w"];

/// Of all channels: their names, when they end, the newest epoch of a removed channel.
const SHARED_KEYS: [&str; 3] = ["names", "ends", "epoch"];

/// The place of the pulse in [`KEYS`], of the members and of the revocations.
pub(super) const PULSE: &str = "v";
pub(super) const MEMBERS: &str = "o";
pub(super) const REVOCATIONS: &str = "r";

/// The keys of a name, the keys that all names share, and the key of its function.
pub(super) fn keys_of(name: &str) -> Vec<String> {
    let own = KEYS.iter().map(|key| format!("{PREFIX}{name}:{key}"));
    let shared = SHARED_KEYS.iter().map(|key| format!("{PREFIX}{key}"));
    let function = name.split('/').next().unwrap_or_default();
    own.chain(shared).chain([key_of_owed(function)]).collect()
}

/// A function's channels to whose subscriptions something is owed.
pub(super) fn key_of_owed(function: &str) -> String {
    format!("{PREFIX}owed:{function}")
}

/// The key of a provider's JWKS, by its address.
pub(super) fn key_of_keys(url: &str) -> String {
    format!("{PREFIX}keys:{url}")
}
