//! Decides an operation, given the channel's state and the time: each operation in a file of its
//! name.

mod append;
mod awareness;
mod beside;
mod change;
mod commit;
mod compact;
mod create;
mod delete;
mod document;
mod erase;
mod existing;
mod moment;
mod read;
mod version;

pub use append::decide_publish;
pub(crate) use append::decide_update;
pub use awareness::decide_awareness;
pub use beside::{decide_announce, decide_head, decide_revoke, decide_stats};
pub use change::{ChangeDecision, decide_change};
pub use commit::{Commit, Write};
pub use compact::{CompactPlan, decide_compaction};
pub use document::{SnapshotDecision, decide_snapshot};
pub use erase::{Authored, ErasePlan};
pub use moment::Moment;
pub use read::{ReadDecision, Subscribe, decide_read, timed_out};
pub use version::{VersionPlan, decide_version, decide_versions};
