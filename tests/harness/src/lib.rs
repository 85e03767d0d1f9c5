//! The `cargo harness` command: everything between a fresh machine and tested functions.
//!
//! It installs into ignored folders of the project only, starts each server in a process group of
//! its own, and leaves no process behind.

pub mod application;
pub mod copy;
pub mod demo;
pub mod doctor;
pub mod group;
pub mod lock;
pub mod machine;
pub mod manifest;
pub mod new;
pub mod node;
pub mod optimizer;
pub mod platform;
pub mod port;
pub mod program;
pub mod project;
pub mod report;
pub mod rust;
pub mod setup;
pub mod signal;
pub mod skips;
pub mod spin;
pub mod step;
pub mod suites;
pub mod test;
pub mod tool;
pub mod up;
pub mod workers;
