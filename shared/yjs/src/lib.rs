//! Updates of Yjs as bytes: all that a server needs for shared documents, without building a
//! document.
//!
//! A document is the list of its updates. This crate reads them as slices of structs and writes one
//! update of many, so no shared type is ever built:
//!
//! | question | answer |
//! |---|---|
//! | Is this update well formed? | [`Update::scan`] |
//! | Does it bring anything? | [`Summary::has`] |
//! | What does the document have? | [`Summary::state_vector`], of [`Summary::add`] or [`Updates::summary`] |
//! | What does a peer lack? | [`Summary::deletions`], else [`Updates::diff`], with its [`StateVector`] |
//! | What is a snapshot? | [`Updates::compact`]; [`Updates::merge`] keeps deleted contents |
//! | What is on the wire? | [`Message`] and [`awareness`] of y-websocket, [`Frames`] of Durable Streams |
//!
//! ```
//! use tidewire_yjs::{Limits, Message, StateVector, Summary, Update, Updates};
//!
//! # fn main() -> Result<(), tidewire_yjs::Error> {
//! let limits = Limits { bytes: 8 << 20, structs: 100_000, depth: 64 };
//! // Client 1 wrote "hi" into the root `t`, and then "!".
//! let log: [&[u8]; 2] = [
//!     &[1, 1, 1, 0, 4, 1, 1, b't', 2, b'h', b'i', 0],
//!     &[1, 1, 1, 2, 0x84, 1, 1, 1, b'!', 0],
//! ];
//! let mut updates = Updates::new(limits);
//! for bytes in log {
//!     updates.add(&Update::scan(bytes, &limits)?)?;
//! }
//! let snapshot = updates.compact();
//! assert_eq!(snapshot, [1, 1, 1, 0, 4, 1, 1, b't', 3, b'h', b'i', b'!', 0]);
//!
//! // A peer has the first update, and asks.
//! let Message::Step1(vector) = Message::read(&[0, 0, 3, 1, 1, 2])? else { return Ok(()) };
//! let lacks = updates.diff(&StateVector::decode(vector, &limits)?);
//! assert_eq!(lacks, log[1]);
//!
//! // Nothing of the log is new to the server.
//! assert!(updates.summary().has(&Update::scan(log[0], &limits)?));
//! # Ok(())
//! # }
//! ```
//!
//! The crate reads only format 1, which every provider sends. Sources: `yjs` 13.6 (`src/structs`,
//! `src/utils/updates.js`, `encoding.js`, `DeleteSet.js`), `lib0` 0.2 (`decoding.js`),
//! `y-protocols` 1.0. An update that Yjs could not read, or would read in part, is refused: in the
//! log it would make the whole document unreadable for every client.
//!
//! Pure: no I/O, no clock, no randomness, no recursion; no input panics. Time is linear in the
//! input, and so is memory, within [`Limits`]: nothing is reserved by a length that an input states.
//! The result is as short as the input or shorter, save for gaps and for updates that overlap.
//!
//! `yrs` and npm `yjs` are oracles of the tests and do not ship: both merge in quadratic time, and
//! short updates make `yrs` panic.

pub mod awareness;
mod block;
mod compaction;
mod content;
mod cover;
mod error;
mod frames;
mod id;
mod id_set;
mod item;
mod json;
mod limits;
mod message;
mod reader;
mod run;
mod state_vector;
mod steps;
mod summary;
mod text;
mod update;
mod updates;
mod value;
mod writer;

pub use error::{Error, ErrorKind, Result};
pub use frames::{Frames, put_frame};
pub use id_set::IdSet;
pub use limits::Limits;
pub use message::Message;
pub use state_vector::StateVector;
pub use summary::Summary;
pub use update::Update;
pub use updates::Updates;
