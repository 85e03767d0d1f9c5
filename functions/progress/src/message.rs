//! What an event of a job or an upload looks like.
//!
//! `public/progress.d.ts` says the same to the page and to any publisher in TypeScript: change both together.

use serde::{Deserialize, Serialize};

/// The whole state, so that the newest event is all that a late reader needs:
/// `{"type":"progress","label":"film.mp4","value":4096,"max":90000000,"unit":"bytes","at":1790000000000}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobState {
    pub r#type: Kind,
    /// What it is, for people.
    pub label: String,
    /// How much is done.
    pub value: u64,
    /// How much there is to do, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// What is counted: `bytes`, `frames`; may be empty.
    pub unit: String,
    /// When it was so, in milliseconds since 1970, by the clock of who publishes.
    pub at: u64,
    /// Why it failed, for programs: of an upload the code of an error, as `body-incomplete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Of an upload that is done, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// How far it is. The last two are the last event of their channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Progress,
    Done,
    Failed,
}
