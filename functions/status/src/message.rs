//! What a value of the status looks like.
//!
//! `public/status.d.ts` says the same to the page and to whoever sets it in TypeScript: `UPDATE_EXPECT=1 cargo test` writes it anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole board, by component.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Board(pub BTreeMap<String, Component>);

/// How a component is.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Component {
    pub state: Condition,
    /// For people; may be empty.
    pub note: String,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
}

/// From good to bad.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    Operational,
    Degraded,
    Down,
}

#[cfg(test)]
mod tests {
    use std::path::absolute;

    use expect_test::expect_file;
    use ts_rs::{Config, TS};

    use super::{Board, Component, Condition};

    #[test]
    fn the_page_has_these_types() {
        let config = Config::new().with_large_int("number");
        let declaration = |docs: Option<String>, declaration: String| format!("{}export {declaration}\n", docs.unwrap_or_default());
        let types = [
            declaration(Board::docs(), Board::decl(&config)),
            declaration(Component::docs(), Component::decl(&config)),
            declaration(Condition::docs(), Condition::decl(&config)),
        ];
        expect_file![absolute("public/status.d.ts").unwrap()].assert_eq(&format!("// Generated from src/message.rs; do not edit.\n\n{}", types.join("\n")));
    }
}
