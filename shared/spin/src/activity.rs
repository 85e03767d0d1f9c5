//! What this instance counts of each channel. It takes few requests before another takes its place, so nothing is ever removed.

use std::cell::RefCell;
use std::collections::HashMap;

use tidewire_core::Activity;

use crate::clock::entropy;
use crate::store::Store;

thread_local! {
    static ACTIVITIES: RefCell<HashMap<String, Activity>> = RefCell::default();
    static NAME: u32 = entropy();
}

/// Counts something of the channel.
pub(crate) fn count(store: &Store, count: impl FnOnce(&mut Activity)) {
    ACTIVITIES.with_borrow_mut(|activities| count(activities.entry(store.name().into()).or_default()));
}

/// By what the instance is told from others.
pub(crate) fn instance() -> u32 {
    NAME.with(|name| *name)
}

/// What was counted of the channel so far.
pub(crate) fn counted(store: &Store) -> Activity {
    ACTIVITIES.with_borrow(|activities| activities.get(store.name()).cloned().unwrap_or_default())
}
