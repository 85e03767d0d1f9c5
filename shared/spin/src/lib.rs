//! Tidewire on Spin.
//!
//! No instance learns what another instance stored. So the log in the store is the only truth, and
//! every reader is "read after a position". All readers of an instance sleep but one: at each tick it
//! asks the store for news of every channel with readers here, and wakes the readers with news. Empty
//! on other targets than WASI.
#![cfg(target_os = "wasi")]

mod access;
mod activity;
mod batch;
mod bell;
mod body;
mod change;
mod clock;
mod compact;
mod complain;
mod document;
mod identity;
mod operation;
mod post;
mod provider_keys;
mod pulse;
mod push;
mod read;
mod reader;
mod respond;
mod route;
mod serve;
mod settings;
mod store;
mod sweep;
mod tenant;
mod watch;

pub use respond::Answer;
pub use serve::{serve, serve_assets, serve_routes};
