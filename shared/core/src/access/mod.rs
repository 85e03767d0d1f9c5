//! The rights of clients, and how long they hold.

mod grant;
mod identity;
mod origins;
mod revocation;
mod rights;
mod secret;

pub use grant::Grant;
pub use identity::{Identity, Ticket, Token};
pub use origins::Origins;
pub use revocation::{Revocation, Revoked};
pub use rights::{Right, Rights};
pub use secret::Secret;
