//! The code by which a function of shared documents
//! ([`NameShape::Document`](crate::NameShape::Document)) reads their bytes. The core reads the
//! frames, the function reads the updates in them.

use crate::awareness::ClientState;
use crate::channel::{Channel, Event};
use crate::error::{Error, ErrorKind, Result};

/// The data of a snapshot without its frame.
pub type Bare = fn(&[u8]) -> Result<Vec<u8>>;

/// Summarizes a document: its snapshot, if any, and the events after it.
pub type Summarize = fn(Option<&[u8]>, &[Event]) -> Result<Box<dyn Summary>>;

/// The update that a peer with a state vector lacks of a document, without a length before it. The
/// arguments are the snapshot and the events, as for [`Summarize`], then the vector, which
/// [`ErrorKind::FrameInvalid`] refuses.
pub type Lacks = fn(Option<&[u8]>, &[Event], &[u8]) -> Result<Vec<u8>>;

/// The bytes of a function's documents.
#[derive(Clone, Copy, Debug)]
pub struct Documents {
    /// The states of clients in a body that was sent to the awareness of a document, as far as it
    /// is well formed: nobody waits for an answer, and the next state follows within seconds. A
    /// state that is too large is refused with [`ErrorKind::EventTooLarge`].
    pub awareness: fn(&[u8]) -> Result<Vec<ClientState>>,
    /// A version as its readers expect it: one update.
    pub bare: Bare,
    /// A message of y-websocket, which a client sent. Refuses it with [`ErrorKind::FrameInvalid`].
    pub message: for<'a> fn(&'a [u8]) -> Result<DocumentMessage<'a>>,
    /// Says what a document has.
    pub summarize: Summarize,
    /// Says what a peer lacks.
    pub lacks: Lacks,
    /// Most bytes of a document: its snapshot and the events after it. An event beyond it is refused
    /// with [`ErrorKind::DocumentFull`].
    pub max_bytes: u64,
}

/// A message of a client over y-websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentMessage<'a> {
    /// The client has the units of this state vector, and asks for the others.
    Asks(&'a [u8]),
    /// The data of an event: an edit, or all that the server lacks.
    Brings(Vec<u8>),
    /// States of clients, of any length.
    Awareness(Vec<ClientState>),
    /// The client asks for the states of all clients.
    AsksAwareness,
    /// The client asks for its counter back when all that it sent is durable.
    Saved(&'a [u8]),
    /// A message that servers ignore.
    Nothing,
}

/// The parts of a document, without their contents: enough to say what an event brings. It takes a
/// few dozen bytes of memory for each run of characters.
pub trait Summary {
    /// Adds an event that was stored.
    fn add(&mut self, event: &[u8]);

    /// The event, or an event that brings nothing in its place if the document has all of it. An
    /// event that is not valid stays: [`Policy::check`](crate::Policy::check) refuses it.
    fn news<'a>(&self, event: &'a [u8]) -> &'a [u8];

    /// The state vector, which asks a peer for the units that are lacking.
    fn state_vector(&self) -> Vec<u8>;

    /// The update that a peer with this state vector lacks, if the peer lacks at most deletions;
    /// `None` if the update needs the contents of the document, see [`Documents::lacks`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FrameInvalid`] for bytes that are not a state vector.
    fn lacks(&self, vector: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Number of ranges that it keeps.
    fn ranges(&self) -> usize;
}

impl Documents {
    /// Refuses events that a document has no room for, given its channel after them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DocumentFull`].
    pub(crate) fn check_room(&self, channel: &Channel) -> Result<()> {
        let (covered, snapshot) =
            channel.snapshot.map_or((0, 0), |snapshot| (snapshot.total, snapshot.bytes));
        if channel.total.saturating_sub(covered) + snapshot <= self.max_bytes {
            return Ok(());
        }
        let why = format!(
            "the document is full: it may have {} bytes. Begin a new document with a part of this one",
            self.max_bytes
        );
        Err(Error::new(ErrorKind::DocumentFull, why))
    }
}
