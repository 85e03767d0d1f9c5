//! Tidewire on Spin.
//!
//! No instance learns what another instance stored, and within an instance one request must never
//! wake another: that would trap both. So the log in SQLite is the only truth, and every reader is
//! "read after a position". All streams of an instance sleep until a common tick; the first to wake
//! reads the store for all of them. Empty on other targets than WASI.
#![cfg(target_os = "wasi")]

mod access;
mod activity;
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
