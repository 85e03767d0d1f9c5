//! The rules for a publish: stored once, within the rate, not nested too deeply.

pub(crate) mod batch;
pub(crate) mod depth;
pub(crate) mod producer;
mod rate;
pub(crate) mod tally;

pub use producer::{Producer, ProducerState};
pub use rate::Rate;
pub use tally::{Forgetting, Tally};
