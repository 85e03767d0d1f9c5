//! The suites of `cargo harness test`. Each returns its rows of the report.

pub mod copy;
pub mod deploy;
pub mod edit;
pub mod leftovers;
pub mod node;
pub mod spin_host;
pub mod types;
pub mod unit;
