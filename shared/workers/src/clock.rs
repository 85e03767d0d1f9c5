//! Time and chance on Workers.

/// Wall time in milliseconds since 1970. It stands still within a turn.
pub(crate) fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// A random number for values that must only differ: cache keys and reconnection times.
pub(crate) fn entropy() -> u32 {
    (js_sys::Math::random() * f64::from(u32::MAX)) as u32
}
