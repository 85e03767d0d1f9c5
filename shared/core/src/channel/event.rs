//! One item of a channel.

/// An event as readers receive it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number in the channel, counted from 1 without gaps.
    pub seq: u64,
    /// One JSON value, one text, or one chunk of bytes, as the channel's content type says.
    pub data: Vec<u8>,
}

/// An event as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The event.
    pub event: Event,
    /// When it was appended, in milliseconds since 1970.
    pub at_ms: u64,
    /// Bytes of all events of the channel up to this one, dropped ones included: the size of any
    /// range is one subtraction.
    pub total: u64,
}
