//! HTTP itself: the fields of a request, the headers of an answer.

mod body;
mod content_type;
pub mod fields;
pub(crate) mod headers;
mod polling;
pub(crate) mod problem;
mod request_head;

pub use body::read_body;
pub use content_type::ContentType;
pub use headers::{PAGE_POLICY, Reply, header_joins, into_parts, json};
pub use polling::Polling;
pub use problem::problem;
pub use request_head::RequestHead;
