//! Tests of the host as a process, with the component in `guest`.

mod control;
mod instances;
mod manifest;
mod outbound;
mod redis;
mod redis_server;
mod routing;
mod sqlite;
mod streaming;
mod support;
mod variables;
