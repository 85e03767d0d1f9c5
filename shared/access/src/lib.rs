//! Authentication: the identity behind a request.
//!
//! [`identify`] finds the credential of a request and verifies it: one of our own short-lived
//! tickets at once, a token of the users' provider with the provider's keys, which the adapter
//! fetches and keeps ([`KeySource`]) when [`KeyCache`] says so. Whether the signature of a token is
//! valid an adapter says ([`Signatures`]): by its platform, or by crates (feature `rust-crypto`).
//! Pure: no I/O, no clock, no randomness.
//! No error and no `Debug` shows a credential or a key.

mod access;
mod credential;
mod identify;
mod jwks;
mod jwt;
mod key_cache;
mod origin;
mod provider_key;
mod provider_keys;
#[cfg(any(test, feature = "rust-crypto"))]
mod rust_crypto;
mod signature;
mod signatures;
mod ticket;
mod token;
mod verified;

pub use access::{Access, Step};
pub use identify::identify;
pub use jwks::{JwkSet, MAX_SET_BYTES};
pub use key_cache::KeyCache;
pub use origin::cors;
pub use provider_key::{ProviderKey, PublicKey};
pub use provider_keys::{Fetched, KeySource, ProviderKeys};
#[cfg(any(test, feature = "rust-crypto"))]
pub use rust_crypto::RustCrypto;
pub use signatures::Signatures;
pub use ticket::TicketKeys;
pub use token::UnverifiedToken;
