//! The bytes that readers get.

pub(crate) mod body;
mod cursor;
pub(crate) mod document;
pub(crate) mod frame;
mod framing;
mod news;
mod page_reply;
pub mod sse;

pub use cursor::next_cursor;
pub use document::{awareness_message, update_messages};
pub use frame::{ClientFrame, ack_frame, error_frame};
pub use framing::{End, Framing, event_stream_head};
pub use news::news_reply;
pub use page_reply::PagePlan;
