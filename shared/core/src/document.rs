//! What a function of shared documents ([`NameShape::Document`](crate::NameShape::Document)) knows
//! of their bytes. The core knows the frames, the function the updates in them.

use crate::awareness::ClientState;
use crate::channel::{Channel, Event};
use crate::error::{Error, ErrorKind, Result};

/// The data of a snapshot without its frame.
pub type Bare = fn(&[u8]) -> Result<Vec<u8>>;

/// Summarizes a document: its snapshot, if any, and the events after it.
pub type Summarize = fn(Option<&[u8]>, &[Event]) -> Result<Box<dyn Summary>>;

/// What a peer with a state vector lacks of a document, as one update without a length before it. The
/// arguments are those of [`Summarize`], then the vector; [`ErrorKind::FrameInvalid`] refuses it.
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
    /// What a document has.
    pub summarize: Summarize,
    /// What a peer lacks.
    pub lacks: Lacks,
    /// Most bytes of a document: its snapshot and the events after it. An event beyond it is refused
    /// with [`ErrorKind::DocumentFull`].
    pub max_bytes: u64,
}

/// A message of a client over y-websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentMessage<'a> {
    /// The client has what this state vector says, and asks for what it lacks.
    Asks(&'a [u8]),
    /// The data of an event: an edit, or all that the server lacks.
    Brings(Vec<u8>),
    /// States of clients, of any length.
    Awareness(Vec<ClientState>),
    /// The client asks who is there.
    AsksAwareness,
    /// The client asks for its counter back when all that it sent is durable.
    Saved(&'a [u8]),
    /// A message that servers ignore.
    Nothing,
}

/// Which parts of a document there are, without their contents: enough to say what an event brings.
/// Memory for a few dozen bytes for each run of characters.
pub trait Summary {
    /// Adds an event that was stored.
    fn add(&mut self, event: &[u8]);

    /// The event, or an event that brings nothing in its place if the document has all of it. An
    /// event that is not valid stays: [`Policy::check`](crate::Policy::check) refuses it.
    fn news<'a>(&self, event: &'a [u8]) -> &'a [u8];

    /// The state vector, which asks a peer for what is lacking.
    fn state_vector(&self) -> Vec<u8>;

    /// What a peer with this state vector lacks, if that is deletions at most; `None` if it takes
    /// the contents of the document, see [`Documents::lacks`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FrameInvalid`] for bytes that are no state vector.
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
