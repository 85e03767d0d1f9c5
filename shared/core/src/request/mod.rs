//! From the head of an HTTP request to an operation on a channel.

mod operation;
pub(crate) mod precondition;
mod route;
mod tenant;
mod transport;

pub use operation::{Append, Operation, Read, Request};
pub use precondition::Precondition;
pub use route::{Asked, Entry, Routed, Visit, entry, file, without_websocket};
pub use tenant::Tenant;
pub use transport::Transport;
