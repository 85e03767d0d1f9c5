//! One connection: its first frames, its life, and the effects of its client's frames.

mod burst;
mod client_frame;
mod document_message;
mod opening;
mod stream_life;

pub use burst::{Arrival, BURST_MS, Burst};
pub use client_frame::{Connection, FrameOutcome, client_frame};
pub use document_message::{
    DocumentConnection, MessageOutcome, asks, document_message, document_opening,
};
pub use opening::{Delivery, Then, opening};
pub use stream_life::{StreamLife, Turn};
