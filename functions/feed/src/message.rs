//! What an event of the feed looks like.
//!
//! `public/feed.d.ts` says the same to the page and to any publisher in TypeScript: `UPDATE_EXPECT=1 cargo test` writes it anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A sample: one point in each of its series.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Sample {
    /// When it was taken, in milliseconds since 1970. Without it the page cannot tell how long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub at: Option<u64>,
    /// The values by series. The end of a name is its unit: `cpu_percent`, `net_sent_kb_s`.
    pub values: BTreeMap<String, f64>,
}

#[cfg(test)]
mod tests {
    use std::path::absolute;

    use expect_test::expect_file;
    use ts_rs::{Config, TS};

    use super::Sample;

    #[test]
    fn the_page_has_these_types() {
        let types = Sample::export_to_string(&Config::new().with_large_int("number")).unwrap();
        expect_file![absolute("public/feed.d.ts").unwrap()].assert_eq(&types);
    }
}
