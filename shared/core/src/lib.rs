//! The decisions of Tidewire: channels, offsets, and every byte that goes on a wire.
//!
//! Pure: no I/O, no clock, no randomness and nothing that needs `Send`. An adapter passes in what it read and what time it is, and
//! carries out what comes back. The wire is written down in `PROTOCOL.md` beside this crate.
//!
//! The path of a request: [`entry`] turns it into a [`Request`] for one channel, [`decide`] says what to do with the
//! channel's state, and a [`Framing`] encodes what readers see.

mod body;
mod channel;
mod content_type;
mod cursor;
mod decide;
mod depth;
mod entry;
mod erase;
mod error;
mod event;
mod expiry;
pub mod fields;
mod frame;
mod framing;
mod function;
mod grant;
mod headers;
mod identity;
mod latest;
mod limits;
mod name;
mod news;
mod offset;
mod origins;
mod page;
mod policy;
mod polling;
mod precondition;
mod presence;
mod producer;
mod rate;
mod request;
mod retention;
mod revocation;
mod rights;
mod secret;
mod settings;
pub mod sse;
mod start;
mod stats;
mod tally;
mod tenant;
mod trace;
mod transport;
#[cfg(test)]
mod typescript;

pub use channel::{Channel, Gap, Position};
pub use content_type::ContentType;
pub use cursor::next_cursor;
pub use decide::{Commit, Decision, Moment, PagePlan, Subscribe, decide, decide_publish, timed_out};
pub use entry::{Asked, Entry, Routed, Visit, entry, file, without_websocket};
pub use erase::{Authored, ErasePlan};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, Row};
pub use expiry::Expiry;
pub use frame::{ClientFrame, SUBPROTOCOL, ack_frame, error_frame};
pub use framing::{Closing, Framing, event_stream_head};
pub use function::{Asset, Creation, Function, Route};
pub use grant::Grant;
pub use headers::{PAGE_POLICY, Reply, into_parts, json, problem};
pub use identity::{Identity, Ticket, Token};
pub use latest::Keys;
pub use limits::{Bound, LIMITS, Limit};
pub use name::{ChannelName, NameShape};
pub use news::news_reply;
pub use offset::Offset;
pub use origins::Origins;
pub use page::{Page, PageLimit};
pub use policy::Policy;
pub use polling::Polling;
pub use precondition::Precondition;
pub use presence::{Lease, Member, Presence, presence_changes, presence_reply, present};
pub use producer::{Producer, ProducerState};
pub use rate::Rate;
pub use request::{Append, Operation, Read, Request};
pub use retention::{Retention, RowSize};
pub use revocation::{Revocation, Revoked};
pub use rights::{Right, Rights};
pub use secret::Secret;
pub use settings::{SETTINGS, Setting, Settings};
pub use start::Start;
pub use stats::{Activity, Scope, Stats};
pub use tally::{Forgetting, Tally};
pub use tenant::Tenant;
pub use trace::{READER_LEFT, STREAM_RENEWED, Trace, fault, hash};
pub use transport::Transport;
