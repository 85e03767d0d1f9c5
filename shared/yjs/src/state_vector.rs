//! The units that a peer has: of each client, how many from the first on.

use std::collections::BTreeMap;

use crate::error::{ErrorKind, Result};
use crate::limits::Limits;
use crate::reader::Reader;
use crate::writer::put_uint;

/// The state vector of a document or an update: how many units of each client it has without a gap,
/// from clock 0 on. It says nothing about deletions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateVector {
    clocks: BTreeMap<u64, u64>,
}

impl StateVector {
    /// Reads the body of a sync step 1 (`decodeStateVector` of Yjs).
    ///
    /// # Errors
    /// When the bytes are anything else than one state vector, a client occurs twice, or there are
    /// more clients than [`Limits::structs`].
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        if bytes.len() > limits.bytes {
            return Err(reader.error(ErrorKind::TooLarge));
        }
        let mut clocks = BTreeMap::new();
        for _ in 0..reader.count()? {
            let start = reader;
            let client = reader.uint()?;
            if clocks.len() >= limits.structs {
                return Err(start.error(ErrorKind::TooMany));
            }
            if clocks.insert(client, reader.uint()?).is_some() {
                return Err(start.error(ErrorKind::Twice));
            }
        }
        reader.end()?;
        clocks.retain(|_, clock| *clock > 0);
        Ok(Self { clocks })
    }

    /// Its bytes, the highest client first (`encodeStateVector` of Yjs).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_uint(&mut out, self.clocks.len() as u64);
        for (&client, &clock) in self.clocks.iter().rev() {
            put_uint(&mut out, client);
            put_uint(&mut out, clock);
        }
        out
    }

    /// How many units of this client there are: the clock of the first that is lacking.
    #[must_use]
    pub fn get(&self, client: u64) -> u64 {
        self.clocks.get(&client).copied().unwrap_or(0)
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clocks.is_empty()
    }
}

impl FromIterator<(u64, u64)> for StateVector {
    /// Of clients and their clocks.
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(clocks: I) -> Self {
        Self { clocks: clocks.into_iter().filter(|(_, clock)| *clock > 0).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const LIMITS: Limits = Limits { bytes: 100, structs: 2, depth: 1 };

    #[test]
    fn is_read_as_it_was_written() {
        let vector = StateVector::from_iter([(1, 3), (300, 128), (2, 0)]);
        let bytes = vector.encode();
        assert_eq!(bytes, [2, 0xac, 2, 0x80, 1, 1, 3]);
        assert_eq!(StateVector::decode(&bytes, &LIMITS), Ok(vector));
        assert_eq!(StateVector::default().encode(), [0]);
        assert_eq!(StateVector::decode(&[1, 7, 0], &LIMITS), Ok(StateVector::default()));
    }

    #[test]
    fn refuses_all_else() {
        for (bytes, kind, at) in [
            (&[][..], ErrorKind::Ends, 0),
            (&[1, 7], ErrorKind::Ends, 2),
            (&[0, 0], ErrorKind::Trailing, 1),
            (&[2, 7, 1, 7, 2], ErrorKind::Twice, 3),
            (&[3, 7, 1, 8, 2, 9, 2], ErrorKind::TooMany, 5),
            (&[200, 1, 0], ErrorKind::Count, 0),
            (&[0; 101], ErrorKind::TooLarge, 0),
        ] {
            assert_eq!(StateVector::decode(bytes, &LIMITS), Err(Error::new(kind, at)), "{bytes:?}");
        }
    }
}
