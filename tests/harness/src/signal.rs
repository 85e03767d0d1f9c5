//! Ctrl-C, SIGTERM and SIGHUP: every wait of the harness notices them and ends.
//!
//! A signal handler itself ends nothing. It sets a flag, and each wait returns. Open process groups
//! end as the functions that own them return.

use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static REQUESTED: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();

/// The user ended the run; nothing went wrong.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Starts to listen. Before this call the signals end the process at once, as usual.
pub fn listen() -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            *REQUESTED.lock().unwrap_or_else(PoisonError::into_inner) = true;
            CHANGED.notify_all();
        }
    });
    Ok(())
}

/// Waits for this time, or less when a signal arrives. Returns whether a signal has arrived.
pub fn wait(time: Duration) -> bool {
    let requested = REQUESTED.lock().unwrap_or_else(PoisonError::into_inner);
    let (requested, _) = CHANGED
        .wait_timeout_while(requested, time, |requested| !*requested)
        .unwrap_or_else(PoisonError::into_inner);
    *requested
}

/// [`wait`] for callers that cannot continue after a signal.
pub fn wait_or_interrupted(time: Duration) -> Result<()> {
    if wait(time) {
        return Err(Interrupted.into());
    }
    Ok(())
}
