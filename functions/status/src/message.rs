//! The value of the status.
//!
//! `public/status.d.ts` has the same types for the page and for writers in TypeScript: change both
//! together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole board, by component.
#[derive(Debug, Serialize, Deserialize)]
pub struct Board(pub BTreeMap<String, Component>);

/// The state of one component.
#[derive(Debug, Serialize, Deserialize)]
pub struct Component {
    pub state: Condition,
    /// For people; may be empty.
    pub note: String,
    /// Since when it is in this state, in milliseconds since 1970.
    pub since: u64,
}

/// From good to bad.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    Operational,
    Degraded,
    Down,
}
