//! What to do with an operation, given the channel's state and the time.

mod decision;
mod dispatch;
mod erase;

pub use decision::{Commit, Decision, Moment, Subscribe};
pub use dispatch::{decide, decide_publish, timed_out};
pub use erase::{Authored, ErasePlan};
