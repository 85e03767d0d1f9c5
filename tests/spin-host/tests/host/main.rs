//! The host as a process, against the component in `guest`.

mod control;
mod instances;
mod manifest;
mod outbound;
mod routing;
mod sqlite;
mod streaming;
mod support;
mod variables;
