//! What is wrong with bytes, and where.

use std::fmt;

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Bytes that were refused: what is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where: bytes from the beginning of what was read, an update, a message or a body.
    pub at: usize,
}

/// Kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The bytes end within a value.
    Ends,
    /// Bytes follow after the end.
    Trailing,
    /// A number is 2^53 or larger, or longer than 8 bytes.
    Number,
    /// A count is larger than the number of bytes that are left.
    Count,
    /// Text is not UTF-8.
    Utf8,
    /// Text is not JSON, or nests deeper than [`Limits::depth`](crate::Limits::depth).
    Json,
    /// Values nest deeper than [`Limits::depth`](crate::Limits::depth).
    Depth,
    /// A struct, a deletion or a list of values has the length 0.
    Empty,
    /// A struct of this kind is unknown. An update of version 2 mostly ends here or in another kind
    /// of error.
    UnknownStruct(u8),
    /// A shared type with this number is unknown.
    UnknownType(u64),
    /// A value with this tag is unknown.
    UnknownValue(u8),
    /// The parent of an item is neither the name of a root (1) nor an item (0).
    UnknownParent(u64),
    /// The options of a subdocument are not an object.
    Options,
    /// An item refers to itself or to a later item of its own client.
    Ahead,
    /// A client occurs twice.
    Twice,
    /// More bytes than [`Limits::bytes`](crate::Limits::bytes).
    TooLarge,
    /// More structs and deletions than [`Limits::structs`](crate::Limits::structs), or more clients
    /// than are allowed in a state vector or in awareness.
    TooMany,
    /// A message of this type is unknown.
    UnknownMessage(u64),
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, at: usize) -> Self {
        Self { kind, at }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.kind)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Ends => "the bytes end within a value",
            Self::Trailing => "bytes follow after the end",
            Self::Number => "a number is 2^53 or larger",
            Self::Count => "a count is larger than the number of bytes that are left",
            Self::Utf8 => "text is not UTF-8",
            Self::Json => "text is not JSON, or nests too deep",
            Self::Depth => "values nest too deep",
            Self::Empty => "a length is 0",
            Self::UnknownStruct(info) => return write!(f, "a struct has the unknown kind {info}"),
            Self::UnknownType(number) => {
                return write!(f, "a shared type has the unknown number {number}");
            }
            Self::UnknownValue(tag) => return write!(f, "a value has the unknown tag {tag}"),
            Self::UnknownParent(tag) => return write!(f, "a parent has the unknown tag {tag}"),
            Self::Options => "the options of a subdocument are not an object",
            Self::Ahead => "an item refers to itself or to a later item of its client",
            Self::Twice => "a client occurs twice",
            Self::TooLarge => "there are too many bytes",
            Self::TooMany => "there are too many structs, deletions or clients",
            Self::UnknownMessage(number) => {
                return write!(f, "a message has the unknown type {number}");
            }
        };
        f.write_str(text)
    }
}

impl std::error::Error for Error {}
