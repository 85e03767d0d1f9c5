//! Reads what lib0 encodes (`decoding.js` of lib0 0.2).
//!
//! Nothing is reserved by a number that was read.

use crate::error::{Error, ErrorKind, Result};
use crate::steps::step;

/// The first number that lib0 cannot read: its numbers are JavaScript's.
const END: u64 = 1 << 53;

/// Longest number, in bytes, at 7 bits each.
const LONGEST: usize = 8;

#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, total: bytes.len() }
    }

    /// Bytes read so far.
    pub(crate) fn at(&self) -> usize {
        self.total - self.rest.len()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes between an earlier reader of the same bytes and this one.
    pub(crate) fn since(&self, earlier: &Self) -> &'a [u8] {
        let length = self.at().saturating_sub(earlier.at());
        earlier.rest.get(..length).unwrap_or_default()
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.at())
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        step();
        let (byte, rest) =
            self.rest.split_first().ok_or_else(|| Error::new(ErrorKind::Ends, self.total))?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        step();
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| Error::new(ErrorKind::Ends, self.total))?;
        self.rest = rest;
        Ok(taken)
    }

    /// `varUint`: 7 bits a byte, least first; the high bit says that more follow.
    pub(crate) fn uint(&mut self) -> Result<u64> {
        let start = *self;
        let mut number = 0;
        for index in 0..LONGEST {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return if number < END { Ok(number) } else { Err(start.error(ErrorKind::Number)) };
            }
        }
        Err(start.error(ErrorKind::Number))
    }

    /// `varInt`: as `varUint`, with a sign in the place of the first byte's seventh bit.
    pub(crate) fn skip_int(&mut self) -> Result<()> {
        let start = *self;
        let first = self.byte()?;
        let mut number = u64::from(first & 0x3f);
        let mut more = first >= 0x80;
        for index in 0..LONGEST {
            if !more {
                break;
            }
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (6 + 7 * index);
            more = byte >= 0x80;
        }
        if more || number >= END { Err(start.error(ErrorKind::Number)) } else { Ok(()) }
    }

    /// How many things follow, of which each has at least one byte.
    pub(crate) fn count(&mut self) -> Result<u64> {
        let start = *self;
        let count = self.uint()?;
        if usize::try_from(count).is_ok_and(|count| count <= self.rest.len()) {
            Ok(count)
        } else {
            Err(start.error(ErrorKind::Count))
        }
    }

    /// A length, which must not be 0.
    pub(crate) fn length(&mut self) -> Result<u64> {
        let start = *self;
        match self.uint()? {
            0 => Err(start.error(ErrorKind::Empty)),
            length => Ok(length),
        }
    }

    /// `varUint8Array`: a length, and so many bytes.
    pub(crate) fn buffer(&mut self) -> Result<&'a [u8]> {
        let length = self.count()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// `varString`: a length in bytes, and UTF-8.
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let bytes = self.buffer()?;
        std::str::from_utf8(bytes).map_err(|fault| {
            Error::new(ErrorKind::Utf8, self.at() - bytes.len() + fault.valid_up_to())
        })
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(ErrorKind::Trailing)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uint(bytes: &[u8]) -> Result<u64> {
        Reader::new(bytes).uint()
    }

    #[test]
    fn reads_numbers_up_to_those_of_javascript() {
        assert_eq!(uint(&[0]), Ok(0));
        assert_eq!(uint(&[0x7f]), Ok(127));
        assert_eq!(uint(&[0x80, 1]), Ok(128));
        assert_eq!(uint(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(END - 1));
        let too_large = Err(Error::new(ErrorKind::Number, 0));
        assert_eq!(uint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]), too_large);
        assert_eq!(uint(&[0x80; 100]), too_large);
        assert_eq!(uint(&[0x80; 5]), Err(Error::new(ErrorKind::Ends, 5)));
    }

    #[test]
    fn reads_signed_numbers_up_to_those_of_javascript() {
        let int = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            reader.skip_int().map(|()| reader.at())
        };
        assert_eq!(int(&[0x41]), Ok(1));
        assert_eq!(int(&[0xff, 0x7f]), Ok(2));
        assert_eq!(int(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]), Ok(8));
        for bytes in [&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f], &[0xff; 8]] {
            assert!(int(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(int(&[0x80; 20]), Err(Error::new(ErrorKind::Number, 0)));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_before_anything_is_taken() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2]);
        assert_eq!(reader.buffer(), Err(Error::new(ErrorKind::Count, 0)));
    }

    #[test]
    fn names_the_byte_that_is_not_utf8() {
        assert_eq!(Reader::new(&[3, b'a', 0xff, b'b']).text(), Err(Error::new(ErrorKind::Utf8, 2)));
        // A lone half of a surrogate pair, which JavaScript strings may hold.
        assert!(Reader::new(&[3, 0xed, 0xa0, 0x80]).text().is_err());
    }
}
