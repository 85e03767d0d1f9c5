//! Authentication: the identity behind a request.
//!
//! [`identify`] finds the credential of a request and verifies it: one of our own short-lived
//! tickets at once, a token of the users' provider with the provider's keys, which the adapter
//! fetches and keeps ([`KeySource`]) when [`KeyCache`] says so. Pure: no I/O, no clock, no
//! randomness.
//! No error and no `Debug` shows a credential or a key.

mod access;
mod credential;
mod identify;
mod jwks;
mod jwt;
mod key_cache;
mod origin;
mod provider_keys;
mod signature;
mod ticket;
mod token;
mod verified;

pub use access::{Access, Step};
pub use identify::identify;
pub use jwks::{JwkSet, MAX_SET_BYTES};
pub use key_cache::KeyCache;
pub use origin::cors;
pub use provider_keys::{Fetched, KeySource, ProviderKeys};
pub use ticket::TicketKeys;
pub use token::UnverifiedToken;
