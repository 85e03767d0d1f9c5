//! One update, scanned.

use crate::error::{ErrorKind, Result};
use crate::id::Id;
use crate::id_set::{Clients, Deletions, read_deletions};
use crate::item::Struct;
use crate::limits::Limits;
use crate::reader::Reader;

/// An update of format 1 that is well formed: every client of Yjs can read it.
///
/// It borrows the bytes. It may refer to items that the document does not have: Yjs keeps an item
/// that comes too early until the others are there.
#[derive(Clone, Debug)]
pub struct Update<'a> {
    /// Its structs with their clients, gaps left out.
    pub(crate) structs: Vec<(u64, Struct<'a>)>,
    pub(crate) deletions: Deletions,
    pub(crate) length: usize,
}

impl<'a> Update<'a> {
    /// Reads an update (`readClientsStructRefs` and `readDeleteSet` of Yjs 13) in linear time.
    ///
    /// # Errors
    /// When the bytes are not exactly one update, when Yjs would refuse it or lose a part of it, or
    /// when it exceeds a limit.
    pub fn scan(bytes: &'a [u8], limits: &Limits) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        if bytes.len() > limits.bytes {
            return Err(reader.error(ErrorKind::TooLarge));
        }
        let mut structs = Vec::new();
        let mut clients = Clients::default();
        // Gaps count as well: they take their time.
        let mut seen = 0;
        for _ in 0..reader.count()? {
            let count = reader.count()?;
            let start = reader;
            let mut id = Id::read(&mut reader)?;
            clients.add(id.client, &start)?;
            for _ in 0..count {
                if seen == limits.structs {
                    return Err(reader.error(ErrorKind::TooMany));
                }
                seen += 1;
                let (found, is_gap) = Struct::read(&mut reader, id, limits)?;
                id.clock = found.clocks().end;
                if !is_gap {
                    structs.push((id.client, found));
                }
            }
        }
        let deletions = read_deletions(&mut reader, seen, limits)?;
        reader.end()?;
        Ok(Self { structs, deletions, length: bytes.len() })
    }

    /// Whether it holds nothing at all, as the answer to a peer that lacks nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.structs.is_empty() && self.deletions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const LIMITS: Limits = Limits { bytes: 200, structs: 3, depth: 4 };

    fn scan(bytes: &[u8]) -> Result<()> {
        Update::scan(bytes, &LIMITS).map(|_| ())
    }

    /// An update of one struct of client 7 from clock 5 on.
    fn of(parts: &[&[u8]]) -> Vec<u8> {
        [&[1, 1, 7, 5][..], &parts.concat(), &[0]].concat()
    }

    #[test]
    fn reads_each_kind_of_struct() {
        for (length, parts) in [
            (3, &[&[0, 3][..]][..]),
            (3, &[&[10, 3]]),
            (2, &[&[1, 1, 1, b'r', 2]]),
            (2, &[&[0x82, 1, 2, 2, 1, b'1', 9], b"undefined"]),
            (1, &[&[0x43, 1, 2, 2, 0xff, 0xff]]),
            (3, &[&[0xc4, 1, 2, 3, 4, 5], "a😀".as_bytes()]),
            (1, &[&[5, 0, 7, 4, 2], b"{}"]),
            (1, &[&[0x86, 7, 4, 1, b'b', 4], b"true"]),
            (1, &[&[0x27, 1, 1, b'r', 1, b'k', 0]]),
            (1, &[&[0x87, 1, 1, 3, 1, b'p']]),
            (2, &[&[0x88, 1, 1, 2, 126, 118, 1, 1, b'a', 117, 0]]),
            (1, &[&[0x89, 1, 1, 1, b'g', 118, 0]]),
        ] {
            let bytes = of(parts);
            let update = Update::scan(&bytes, &LIMITS).unwrap();
            let lengths: Vec<_> = update.structs.iter().map(|(_, found)| found.length).collect();
            let is_gap = bytes[4] == 10;
            assert_eq!(lengths, if is_gap { vec![] } else { vec![length] }, "{bytes:?}");
            for end in 0..bytes.len() {
                assert!(scan(&bytes[..end]).is_err(), "{:?}", &bytes[..end]);
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(scan(&longer), Err(Error::new(ErrorKind::Trailing, bytes.len())));
        }
    }

    #[test]
    fn refuses_what_a_client_could_not_read() {
        for (kind, at, parts) in [
            (ErrorKind::UnknownStruct(11), 4, &[&[11, 1][..]][..]),
            (ErrorKind::UnknownStruct(0x80), 4, &[&[0x80, 1, 1, 1]]),
            (ErrorKind::UnknownParent(2), 5, &[&[4, 2, 1, b'r', 1, b'a']]),
            (ErrorKind::UnknownType(7), 7, &[&[0x87, 1, 1, 7]]),
            (ErrorKind::UnknownValue(115), 8, &[&[0x88, 1, 1, 1, 115]]),
            (ErrorKind::Empty, 5, &[&[0, 0]]),
            (ErrorKind::Empty, 7, &[&[0x81, 1, 1, 0]]),
            (ErrorKind::Empty, 7, &[&[0x84, 1, 1, 0]]),
            (ErrorKind::Empty, 7, &[&[0x88, 1, 1, 0]]),
            (ErrorKind::Json, 7, &[&[0x85, 1, 1, 1, b'{']]),
            (ErrorKind::Json, 8, &[&[0x82, 1, 1, 1, 1, b'x']]),
            (ErrorKind::Utf8, 8, &[&[0x84, 1, 1, 1, 0xff]]),
            (ErrorKind::Depth, 16, &[&[0x88, 1, 1, 1], &[117, 1, 117, 1, 117, 1, 117, 1, 117, 0]]),
            (ErrorKind::Options, 9, &[&[0x89, 1, 1, 1, b'g', 126]]),
            // Its own unit as origin, a later one to the right, and itself as parent.
            (ErrorKind::Ahead, 4, &[&[0x84, 7, 5, 1, b'a']]),
            (ErrorKind::Ahead, 4, &[&[0x44, 7, 6, 1, b'a']]),
            (ErrorKind::Ahead, 4, &[&[4, 0, 7, 5, 1, b'a']]),
            (ErrorKind::Count, 7, &[&[0x84, 1, 1, 200, 1]]),
            (ErrorKind::Number, 4, &[&[0, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]]),
        ] {
            let bytes = of(parts);
            assert_eq!(scan(&bytes), Err(Error::new(kind, at)), "{bytes:?}");
        }
    }

    #[test]
    fn refuses_a_frame_that_is_wrong_as_a_whole() {
        for (bytes, kind, at) in [
            (&[1, 1, 7, 0, 0, 1, 1, 7, 2, 0, 1, 0][..], ErrorKind::Ends, 12),
            (&[2, 1, 7, 0, 0, 1, 1, 7, 2, 0, 1, 0], ErrorKind::Twice, 7),
            (&[0, 2, 7, 1, 0, 1, 7, 1, 2, 1], ErrorKind::Twice, 6),
            (&[0, 1, 7, 1, 0, 0], ErrorKind::Empty, 5),
            (&[1, 4, 7, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0], ErrorKind::TooMany, 10),
            (&[1, 1, 7, 0, 0, 1, 1, 7, 3, 0, 1, 2, 1, 4, 1], ErrorKind::TooMany, 13),
            (&[200, 1, 0], ErrorKind::Count, 0),
            (&[0; 201], ErrorKind::TooLarge, 0),
            // An empty update of format 2.
            (&[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], ErrorKind::Trailing, 2),
        ] {
            assert_eq!(scan(bytes), Err(Error::new(kind, at)), "{bytes:?}");
        }
    }

    #[test]
    fn nothing_is_an_update_and_brings_nothing() {
        assert!(Update::scan(&[0, 0], &LIMITS).unwrap().is_empty());
        // Without structs and without ranges, clients say nothing.
        assert!(Update::scan(&[1, 0, 7, 0, 1, 7, 0], &LIMITS).unwrap().is_empty());
    }
}
