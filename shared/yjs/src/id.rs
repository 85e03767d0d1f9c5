//! The name of one unit of a document.

use crate::error::Result;
use crate::reader::Reader;
use crate::writer::{put_uint, uint_len};

/// One unit: a character of 16 bits, a value, a shared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) client: u64,
    /// How many units of this client came before.
    pub(crate) clock: u64,
}

impl Id {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { client: reader.uint()?, clock: reader.uint()? })
    }

    pub(crate) fn put(self, out: &mut Vec<u8>) {
        put_uint(out, self.client);
        put_uint(out, self.clock);
    }

    pub(crate) fn encoded_len(self) -> usize {
        uint_len(self.client) + uint_len(self.clock)
    }
}
