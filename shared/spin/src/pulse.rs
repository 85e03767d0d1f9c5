//! What the engine says about all channels that have readers here: one question each tick, and
//! while everything rests as seldom as the engine wants it.

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
    is_asking: bool,
    has_failed: bool,
    pulses: HashMap<String, Option<String>>,
    changed: Duration,
}

/// What is known of a channel at a tick.
pub(crate) enum Pulse {
    /// Look: the channel changed.
    Unknown,
    /// Another reader asks: wait.
    Asking,
    /// As it was at the last look.
    Same,
}

/// Notes that this instance has written, so that nothing rests.
pub(crate) fn stir() {
    HEARD.with_borrow_mut(|heard| heard.changed = elapsed());
}

/// Whether the channel `name` has the pulse `known` at this tick. `all` are the channels to ask
/// about, if somebody must ask.
pub(crate) async fn pulse_at(
    tick: Duration,
    name: &str,
    known: Option<&str>,
    all: impl FnOnce() -> Vec<String>,
) -> Pulse {
    let is_answered = HEARD.with_borrow(|heard| heard.is_answered(tick, name));
    if !is_answered {
        let was_asking =
            HEARD.with_borrow_mut(|heard| std::mem::replace(&mut heard.is_asking, true));
        if was_asking {
            return Pulse::Asking;
        }
        // If a reader leaves during its question, the next reader must ask.
        let _asking = Asking;
        let began = elapsed();
        let names = all();
        let answer = ChannelStore::pulses(&names).await;
        HEARD.with_borrow_mut(|heard| {
            heard.asked = Some(began);
            heard.has_failed = answer.is_err();
            match answer {
                Ok(Some(pulses)) => heard.take(names, pulses, began),
                Ok(None) => {}
                Err(cause) => {
                    complain(
                        None,
                        format!("asking for news failed, a later tick retries: {cause}"),
                    );
                }
            }
        });
    }
    HEARD.with_borrow(|heard| match heard.pulses.get(name) {
        Some(pulse) if pulse.as_deref() == known => Pulse::Same,
        // Another reader's question has failed: there is nothing new to know.
        _ if heard.has_failed => Pulse::Same,
        _ => Pulse::Unknown,
    })
}

impl Heard {
    /// Whether nobody needs to ask at this tick about this channel.
    fn is_answered(&self, tick: Duration, name: &str) -> bool {
        let Some(asked) = self.asked.filter(|_| self.pulses.contains_key(name) || self.has_failed)
        else {
            return false;
        };
        let rests = self.has_failed || self.changed + RESTS_AFTER < tick;
        asked >= tick || rests && tick < asked + ChannelStore::REST
    }

    fn take(&mut self, names: Vec<String>, pulses: Vec<Option<String>>, began: Duration) {
        let pulses: HashMap<_, _> = names.into_iter().zip(pulses).collect();
        if pulses.iter().any(|(name, pulse)| self.pulses.get(name) != Some(pulse)) {
            self.changed = began;
        }
        self.pulses = pulses;
    }
}

struct Asking;

impl Drop for Asking {
    fn drop(&mut self) {
        HEARD.with_borrow_mut(|heard| heard.is_asking = false);
    }
}
