//! The events of a job or an upload.
//!
//! `public/progress.d.ts` says the same to the page and to any publisher in TypeScript: change both
//! together.

use serde::{Deserialize, Serialize};

/// The whole state, so that the newest event is all that a late reader needs:
/// `{"type":"progress","label":"film.mp4","value":4096,"max":90000000,"unit":"bytes","at":1790000000000}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobState {
    pub r#type: Kind,
    /// The name of the job, for people.
    pub label: String,
    /// How much is done.
    pub value: u64,
    /// The total, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// The unit of the count: `bytes`, `frames`; may be empty.
    pub unit: String,
    /// When this state was reached, in milliseconds since 1970, by the publisher's clock.
    pub at: u64,
    /// Why it failed, for programs: for an upload the code of an error, such as `body-incomplete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// For an upload that is done, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// The phase of the job. The last two are the last event of their channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Progress,
    Done,
    Failed,
}
