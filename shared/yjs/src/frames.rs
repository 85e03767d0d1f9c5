//! Frames of the Yjs protocol of Durable Streams: a body is any number of updates, each behind its
//! length (`varUint8Array` of lib0; `YJS-PROTOCOL.md` of `y-durable-streams`).
//!
//! Awareness streams are framed in the same way.

use crate::error::Result;
use crate::reader::Reader;
use crate::writer::put_buffer;

/// The contents of the frames of a body, in order; an empty body has no frame. A fault is the last
/// item.
#[derive(Clone)]
pub struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    /// Of a body or an event.
    #[must_use]
    pub fn of(body: &'a [u8]) -> Self {
        Self { reader: Reader::new(body) }
    }
}

impl<'a> Iterator for Frames<'a> {
    /// The content, and where it begins in the body: an [`Error`](crate::Error) within it counts from
    /// there.
    type Item = Result<(usize, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        let frame = self.reader.buffer();
        if frame.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(frame.map(|content| (self.reader.at() - content.len(), content)))
    }
}

/// Appends a frame.
pub fn put_frame(out: &mut Vec<u8>, content: &[u8]) {
    put_buffer(out, content);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn frames_are_read_as_they_were_written() {
        let mut body = Vec::new();
        for content in [&[1, 2][..], &[], &[7; 200]] {
            put_frame(&mut body, content);
        }
        let frames: Vec<_> = Frames::of(&body).map(Result::unwrap).collect();
        assert_eq!(frames, [(1, &[1, 2][..]), (4, &[]), (6, &[7; 200])]);
    }

    #[test]
    fn a_fault_ends_them() {
        let mut frames = Frames::of(&[1, 9, 2, 9]);
        assert_eq!(frames.next(), Some(Ok((1, &[9][..]))));
        assert_eq!(frames.next(), Some(Err(Error::new(ErrorKind::Count, 2))));
        assert_eq!(frames.next(), None);
        assert_eq!(Frames::of(&[]).next(), None);
    }
}
