//! The `cargo harness` command: it sets up a fresh machine, serves the functions and tests them.
//!
//! It installs only into ignored folders of the project. It starts each server in a process group
//! of its own, and ends every process that it started.

pub mod application;
pub mod bench;
pub mod budget;
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
pub mod redis;
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
