//! One connection: its first frames, its life, and the effects of its client's frames.

mod client_frame;
mod opening;
mod stream_life;

pub use client_frame::{Connection, FrameOutcome, client_frame};
pub use opening::{Delivery, Then, opening};
pub use stream_life::{StreamLife, Turn};
