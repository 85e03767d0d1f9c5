//! What an event of a job or an upload looks like.
//!
//! `public/progress.d.ts` says the same to the page and to any publisher in TypeScript: `UPDATE_EXPECT=1 cargo test` writes it anew.

use serde::{Deserialize, Serialize};

/// The whole state, so that the newest event is all that a late reader needs:
/// `{"type":"progress","label":"film.mp4","value":4096,"max":90000000,"unit":"bytes","at":1790000000000}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct JobState {
    pub r#type: Kind,
    /// What it is, for people.
    pub label: String,
    /// How much is done.
    pub value: u64,
    /// How much there is to do, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub max: Option<u64>,
    /// What is counted: `bytes`, `frames`; may be empty.
    pub unit: String,
    /// When it was so, in milliseconds since 1970, by the clock of who publishes.
    pub at: u64,
    /// Why it failed, for programs: of an upload the code of an error, as `body-incomplete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub reason: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub detail: Option<String>,
    /// Of an upload that is done, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub sha256: Option<String>,
}

/// How far it is. The last two are the last event of their channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Progress,
    Done,
    Failed,
}

#[cfg(test)]
mod tests {
    use std::path::absolute;

    use expect_test::expect_file;
    use ts_rs::{Config, TS};

    use super::{JobState, Kind};

    #[test]
    fn the_page_has_these_types() {
        let config = Config::new().with_large_int("number");
        let declaration = |docs: Option<String>, declaration: String| format!("{}export {declaration}\n", docs.unwrap_or_default());
        let types = [declaration(JobState::docs(), JobState::decl(&config)), declaration(Kind::docs(), Kind::decl(&config))];
        expect_file![absolute("public/progress.d.ts").unwrap()].assert_eq(&format!("// Generated from src/message.rs; do not edit.\n\n{}", types.join("\n")));
    }
}
