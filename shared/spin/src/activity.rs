//! The counters of this instance for each channel. An instance serves few requests before another
//! replaces it, so nothing is ever removed.

use std::cell::RefCell;
use std::collections::HashMap;

use tidewire_core::Activity;

use crate::clock::entropy;
use crate::store::health::health;
use crate::store::{ChannelStore, Store};

thread_local! {
    static ACTIVITIES: RefCell<HashMap<String, Activity>> = RefCell::default();
    static NAME: u32 = entropy();
}

/// Increments a counter of the channel.
pub(crate) fn count(store: &ChannelStore, count: impl FnOnce(&mut Activity)) {
    ACTIVITIES.with_borrow_mut(|activities| {
        if let Some(activity) = activities.get_mut(store.name()) {
            return count(activity);
        }
        let mut activity = Activity::default();
        count(&mut activity);
        // Nothing is remembered of the many names that do not exist.
        if activity != Activity::default() {
            activities.insert(store.name().into(), activity);
        }
    });
}

/// The name that distinguishes this instance from others.
pub(crate) fn instance() -> u32 {
    NAME.with(|name| *name)
}

/// The counters of the channel so far, and how its store is.
pub(crate) fn counted(store: &ChannelStore) -> Activity {
    let counted = ACTIVITIES.with_borrow(|activities| activities.get(store.name()).cloned());
    Activity { store: Some(health()), ..counted.unwrap_or_default() }
}
