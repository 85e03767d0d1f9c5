//! One connection: what it is sent first, how long it lives, what the frames of its client do.

mod client_frame;
mod opening;
mod stream_life;

pub use client_frame::{Connection, FrameOutcome, client_frame};
pub use opening::{Delivery, Then, opening};
pub use stream_life::{StreamLife, Turn};
