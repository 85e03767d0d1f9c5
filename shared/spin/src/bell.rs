//! How the readers of an instance wait: one reader, the watchman, looks at the clock and the store
//! for all, and the others sleep until it rings for them.
//!
//! Each reader is a request of its own, and a waker that wakes another request traps both. So a
//! sleeper reads a stream of the component model to which nobody ever writes. To drop the other end
//! is to ring: the host carries the end of the stream from one request to the other, and cannot
//! wake a reader that has left in the meantime.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use spin_sdk::wasip3::wit_bindgen::StreamWriter;
use spin_sdk::wasip3::wit_stream;

use crate::clock::Time;

thread_local! {
    /// In the order in which they fell asleep.
    static SLEEPERS: RefCell<BTreeMap<u64, Sleeper>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
    static HAS_WATCHMAN: Cell<bool> = const { Cell::new(false) };
}

struct Sleeper {
    channel: String,
    until: Time,
    /// Dropped with the sleeper, which wakes it.
    _bell: StreamWriter<u8>,
}

/// Sleeps until [`ring`] names the channel, until [`ring_due`] finds that the time has come, or until
/// the instance needs a watchman.
pub(crate) async fn sleep(channel: &str, until: Time) {
    let (bell, mut end) = wit_stream::new::<u8>();
    let number = NEXT.replace(NEXT.get() + 1);
    let sleeper = Sleeper { channel: channel.into(), until, _bell: bell };
    SLEEPERS.with_borrow_mut(|sleepers| sleepers.insert(number, sleeper));
    let _asleep = Asleep(number);
    end.next().await;
}

/// Wakes the readers that sleep on a channel.
pub(crate) fn ring(channel: &str) {
    wake(|sleeper| sleeper.channel == channel);
}

/// Wakes the readers whose time has come.
pub(crate) fn ring_due(now: Time) {
    wake(|sleeper| sleeper.until.has_come(now));
}

fn wake(is_meant: impl Fn(&Sleeper) -> bool) {
    SLEEPERS.with_borrow_mut(|sleepers| sleepers.retain(|_, sleeper| !is_meant(sleeper)));
}

/// Wakes the reader that has slept longest, if there is no watchman: it becomes the next.
fn need_watchman() {
    if !HAS_WATCHMAN.get() {
        SLEEPERS.with_borrow_mut(BTreeMap::pop_first);
    }
}

struct Asleep(u64);

impl Drop for Asleep {
    /// The reader wakes, or its client has left. If it was woken to be the watchman, it may not
    /// become one: then the next reader must.
    fn drop(&mut self) {
        SLEEPERS.with_borrow_mut(|sleepers| sleepers.remove(&self.0));
        need_watchman();
    }
}

/// The one reader of the instance that is awake. When it ends its watch, another reader wakes for it.
pub(crate) struct Watchman;

impl Watchman {
    /// `None` if another reader is the watchman.
    pub(crate) fn begin() -> Option<Watchman> {
        // Made only then: its drop ends a watch.
        (!HAS_WATCHMAN.replace(true)).then(|| Watchman)
    }
}

impl Drop for Watchman {
    fn drop(&mut self) {
        HAS_WATCHMAN.set(false);
        need_watchman();
    }
}
