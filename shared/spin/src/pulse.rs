//! The pulses of all channels with readers at this instance: one question to the store each tick,
//! and while everything rests as seldom as the engine wants it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use crate::clock::elapsed;
use crate::complain::complain;
use crate::store::{ChannelStore, Store};

/// Without a change for this long, everything rests.
const RESTS_AFTER: Duration = Duration::from_secs(5);

thread_local! {
    static HEARD: RefCell<Heard> = RefCell::default();
}

#[derive(Default)]
struct Heard {
    /// When the newest question began that was answered or failed.
    asked: Option<Duration>,
    has_failed: bool,
    pulses: HashMap<String, Option<String>>,
    changed: Duration,
}

/// Notes that there is something new, so that nothing rests.
pub(crate) fn stir() {
    HEARD.with_borrow_mut(|heard| heard.changed = elapsed());
}

/// Whether nothing was new for a while, at a tick.
pub(crate) fn is_calm(tick: Duration) -> bool {
    HEARD.with_borrow(|heard| heard.changed + RESTS_AFTER < tick)
}

/// Asks at a tick for the pulses of these channels, unless everything rests.
pub(crate) async fn ask(tick: Duration, names: Vec<String>) {
    if HEARD.with_borrow(|heard| heard.rests(tick, &names)) {
        return;
    }
    let began = elapsed();
    let answer = ChannelStore::pulses(&names).await;
    HEARD.with_borrow_mut(|heard| {
        heard.asked = Some(began);
        heard.has_failed = answer.is_err();
        match answer {
            Ok(Some(pulses)) => heard.take(names, pulses, began),
            Ok(None) => {}
            Err(cause) => {
                complain(None, format!("asking for news failed, a later tick retries: {cause}"));
            }
        }
    });
}

/// Whether the channel is as the look found it that found the pulse `known`.
pub(crate) fn is_same(name: &str, known: Option<&str>) -> bool {
    HEARD.with_borrow(|heard| match heard.pulses.get(name) {
        Some(pulse) if pulse.as_deref() == known => true,
        // After a question that failed there is nothing new to know.
        _ => heard.has_failed,
    })
}

impl Heard {
    /// Whether nobody needs to ask about these channels at this tick.
    fn rests(&self, tick: Duration, names: &[String]) -> bool {
        let Some(asked) = self.asked else { return false };
        let rests = self.has_failed
            || self.changed + RESTS_AFTER < tick
                && names.iter().all(|name| self.pulses.contains_key(name));
        rests && tick < asked + ChannelStore::REST
    }

    fn take(&mut self, names: Vec<String>, pulses: Vec<Option<String>>, began: Duration) {
        let pulses: HashMap<_, _> = names.into_iter().zip(pulses).collect();
        if pulses.iter().any(|(name, pulse)| self.pulses.get(name) != Some(pulse)) {
            self.changed = began;
        }
        self.pulses = pulses;
    }
}
