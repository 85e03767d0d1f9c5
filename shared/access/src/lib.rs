//! Authentication: the identity behind a request.
//!
//! [`identify`] finds the credential of a request and verifies it: one of our own short-lived
//! tickets at once, a token of the users' provider as soon as the adapter has the provider's keys
//! ([`KeyCache`] says when to ask for them). Pure: no I/O, no clock, no randomness.
//! No error and no `Debug` shows a credential or a key.

mod access;
mod credential;
mod identify;
mod jwks;
mod jwt;
mod key_cache;
mod origin;
mod signature;
mod ticket;
mod token;

pub use access::{Access, Step};
pub use identify::identify;
pub use jwks::{JwkSet, MAX_SET_BYTES};
pub use key_cache::{ASK_MS, KeyCache, Plan};
pub use origin::cors;
pub use ticket::TicketKeys;
pub use token::UnverifiedToken;
