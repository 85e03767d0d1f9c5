//! What HTTP itself says: the fields of a request, the headers of an answer.

mod content_type;
pub mod fields;
pub(crate) mod headers;
mod polling;

pub use content_type::ContentType;
pub use headers::{PAGE_POLICY, Reply, into_parts, json, problem};
pub use polling::Polling;
