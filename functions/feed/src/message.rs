//! The events of the feed.
//!
//! `public/feed.d.ts` says the same to the page and to any publisher in TypeScript: change both
//! together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A sample: one point in each of its series.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sample {
    /// When it was taken, in milliseconds since 1970. Without it the page cannot show the delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// The values by series. The end of a name is its unit: `cpu_percent`, `net_sent_kb_s`.
    pub values: BTreeMap<String, f64>,
}
