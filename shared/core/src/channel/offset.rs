//! A position in a channel.
//!
//! Opaque to clients (Durable Streams, section 8): fixed width, sorts as text in channel order,
//! URL-safe, and far below the 128 bytes above which a browser would preflight a `Last-Event-ID`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::http::headers::{self, Reply, set};

/// A position between two events: reading *after* it gives the next one.
///
/// Holds the channel's epoch, so that a channel that was deleted and created again does not accept
/// a position of its predecessor. Displays as `-1` for [`Offset::BEGINNING`], else as 12
/// hexadecimal digits of epoch, `_`, and 14 of sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offset {
    /// Creation time of the channel in milliseconds since 1970; 0 before there is a channel.
    pub epoch: u64,
    /// Number of the last event read, counted from 1; 0 if none.
    pub seq: u64,
}

/// Largest epoch that fits 12 hexadecimal digits, in milliseconds: the year 10889.
const MAX_EPOCH: u64 = (1 << 48) - 1;
/// Largest sequence: integers up to 2^53 - 1 cross JavaScript exactly.
const MAX_SEQ: u64 = (1 << 53) - 1;
const EPOCH_DIGITS: usize = 12;
const SEQ_DIGITS: usize = 14;

impl Offset {
    /// Before the first event of any channel; `-1` on the wire.
    pub const BEGINNING: Offset = Offset { epoch: 0, seq: 0 };

    /// The position of a reader that found no channel: before the first event of the channel that
    /// is created next. Unlike [`Offset::BEGINNING`] it becomes a gap when that event is dropped.
    pub const ABSENT: Offset = Offset { epoch: 0, seq: MAX_SEQ };

    /// Sets the header that makes this offset the start of the next read.
    pub(crate) fn set(self, reply: &mut Reply) {
        set(reply, headers::NEXT_OFFSET, &self.to_string());
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Offset::BEGINNING {
            return f.write_str("-1");
        }
        write!(f, "{:012x}_{:014x}", self.epoch, self.seq)
    }
}

impl FromStr for Offset {
    type Err = Error;

    /// # Errors
    ///
    /// [`ErrorKind::OffsetMalformed`] for any text that no [`Offset`] displays as, such as
    /// upper-case digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "-1" {
            return Ok(Offset::BEGINNING);
        }
        let malformed = || {
            let shown: String = text.chars().take(40).collect();
            Error::new(
                ErrorKind::OffsetMalformed,
                format!(
                    "{shown:?} is not an offset: send one that this channel returned, `-1` or `now`"
                ),
            )
        };
        let (epoch, seq) = text.split_once('_').ok_or_else(malformed)?;
        let epoch =
            digits(epoch, EPOCH_DIGITS).filter(|&n| n <= MAX_EPOCH).ok_or_else(malformed)?;
        let seq = digits(seq, SEQ_DIGITS).filter(|&n| n <= MAX_SEQ).ok_or_else(malformed)?;
        let offset = Offset { epoch, seq };
        if epoch == 0 && offset != Offset::ABSENT { Err(malformed()) } else { Ok(offset) }
    }
}

fn digits(text: &str, width: usize) -> Option<u64> {
    // `from_str_radix` alone would accept a sign and upper case, and two texts would mean one
    // offset.
    let exact = text.len() == width && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    exact.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn displays_the_beginning_as_minus_one() {
        assert_eq!(Offset::BEGINNING.to_string(), "-1");
        assert_eq!("-1".parse::<Offset>().unwrap(), Offset::BEGINNING);
    }

    #[test]
    fn refuses_what_it_would_not_display() {
        for text in [
            "",
            "0",
            "-2",
            "now",
            "00000000000A_00000000000001",
            "00000000000a_+0000000000001",
            "000000000000_00000000000001",
            "000000000000_00000000000000",
            "000000000000_1ffffffffffffe",
            "00000000000a-00000000000001",
            "00000000000a_20000000000000 ",
        ] {
            assert_eq!(
                text.parse::<Offset>().unwrap_err().kind(),
                ErrorKind::OffsetMalformed,
                "{text:?}"
            );
        }
    }

    #[test]
    fn knows_where_a_reader_stands_that_found_no_channel() {
        let text = Offset::ABSENT.to_string();
        assert_eq!(
            (text.as_str(), text.parse::<Offset>().unwrap()),
            ("000000000000_1fffffffffffff", Offset::ABSENT)
        );
        assert!(Offset::BEGINNING < Offset::ABSENT && Offset::ABSENT < Offset { epoch: 1, seq: 0 });
    }

    proptest! {
        #[test]
        fn sorts_as_text_like_it_sorts_as_value(a in 1..=MAX_EPOCH, b in 1..=MAX_EPOCH, m in 0..=MAX_SEQ, n in 0..=MAX_SEQ) {
            let (x, y) = (Offset { epoch: a, seq: m }, Offset { epoch: b, seq: n });
            prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
            prop_assert_eq!(x.to_string().parse::<Offset>().unwrap(), x);
            prop_assert!(Offset::BEGINNING.to_string() < x.to_string());
        }
    }
}
