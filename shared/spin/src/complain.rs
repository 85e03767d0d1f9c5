//! Faults in the log.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Logs a fault, of the channel with this hash or of no channel: one line in one write. Spin passes
/// on the output of all instances unbuffered, so lines in pieces would mix.
pub(crate) fn complain(channel: Option<&str>, cause: impl Display) {
    let line = format!("{}\n", tidewire_core::fault(channel, &cause));
    // There may be no reader of the log.
    let _ = stderr().write_all(line.as_bytes());
}
