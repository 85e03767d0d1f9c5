//! From the head of an HTTP request to an operation on a channel.

mod assets;
mod awareness;
mod call;
mod change;
mod operation;
mod precondition;
mod route;
mod snapshot;
mod tenant;
mod transport;

pub use assets::{file, without_websocket};
pub use awareness::{Awareness, AwarenessAction};
pub use call::{Call, LocalFuture, Platform};
pub use change::{Append, Change, Create};
pub use operation::{ChannelRequest, Operation, Read};
pub use precondition::Precondition;
pub use route::{Routed, Target, UnauthorizedRequest, route};
pub use snapshot::SnapshotRead;
pub use tenant::Tenant;
pub use transport::{SUBPROTOCOL, Transport};
