//! Faults in the log.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Logs what failed, of the channel with this hash or of none: one line in one write. Spin hands writes of all instances on as they come, so lines in pieces would mix.
pub(crate) fn complain(channel: Option<&str>, cause: impl Display) {
    let line = format!("{}\n", tidewire_core::fault(channel, cause));
    // Nobody may be listening.
    let _ = stderr().write_all(line.as_bytes());
}
