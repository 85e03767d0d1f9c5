//! A channel: its name, its state, its events, and the positions between them.

pub(crate) mod etag;
mod event;
mod expiry;
pub(crate) mod latest;
mod name;
mod offset;
mod page;
mod retention;
pub(crate) mod snapshot;
mod start;
mod state;

pub use event::{Event, Row};
pub use expiry::Expiry;
pub use latest::Keys;
pub use name::{ChannelName, NameShape};
pub use offset::Offset;
pub use page::{Page, PageLimit};
pub use retention::{Retention, RowSize};
pub use snapshot::{Snapshot, SnapshotHead, SnapshotUse, Version};
pub use start::Start;
pub use state::{Channel, Fork, Gap, Position};
