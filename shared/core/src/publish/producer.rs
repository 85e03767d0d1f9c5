//! Idempotent producers: a repeated publish is stored once.
//!
//! Durable Streams, section 5.2.1: a producer numbers its appends from 0 within an epoch; a new
//! epoch fences off the user of the old one.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::http::fields::{digits, is_id};
use crate::http::{RequestHead, headers};

/// A producer's position, from `Producer-Id`, `Producer-Epoch` and `Producer-Seq` or the member
/// `producer` of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// The producer's own name, 1 to 255 visible ASCII characters; unique within the channel.
    pub id: String,
    /// Increases when the producer starts again.
    pub epoch: u64,
    /// Number of the append within the epoch, from 0.
    pub seq: u64,
}

/// The channel's memory of a producer: the last append that it accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerState {
    /// Its epoch.
    pub epoch: u64,
    /// Its number.
    pub seq: u64,
    /// Time until which its events keep the channel busy, in milliseconds since 1970; see
    /// [`Rate`](crate::Rate). Without a rate, when it published last.
    pub busy_until_ms: u64,
}

/// How an append relates to the producer's last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The next one.
    Next,
    /// A repetition of an accepted append.
    Duplicate(ProducerState),
}

/// Largest epoch and sequence: integers up to 2^53 - 1 cross JavaScript exactly.
const MAX: u64 = (1 << 53) - 1;

impl Producer {
    /// Reads the three headers; `None` if all are absent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HeaderInvalid`] when one is missing or malformed.
    pub(crate) fn parse(head: &RequestHead<'_>) -> Result<Option<Producer>> {
        let invalid = |why: &str| Error::new(ErrorKind::HeaderInvalid, why);
        match ["producer-id", "producer-epoch", "producer-seq"].map(|name| head.header(name)) {
            [None, None, None] => Ok(None),
            [Some(id), Some(epoch), Some(seq)] => {
                let epoch = number(&epoch).ok_or_else(|| {
                    invalid("Producer-Epoch must be an integer from 0 to 2^53 - 1")
                })?;
                let seq = number(&seq)
                    .ok_or_else(|| invalid("Producer-Seq must be an integer from 0 to 2^53 - 1"))?;
                Producer { id, epoch, seq }.validated().map(Some)
            }
            _ => Err(invalid("Producer-Id, Producer-Epoch and Producer-Seq must be sent together")),
        }
    }

    /// Returns itself if its id and numbers are valid: those of a WebSocket frame are unchecked.
    pub(crate) fn validated(self) -> Result<Producer> {
        check_id(&self.id)?;
        if self.epoch.max(self.seq) <= MAX {
            return Ok(self);
        }
        Err(Error::new(
            ErrorKind::HeaderInvalid,
            "epoch and seq of a producer must be integers from 0 to 2^53 - 1",
        ))
    }

    /// The channel's memory after it accepts this append.
    pub(crate) fn state(&self, busy_until_ms: u64) -> ProducerState {
        ProducerState { epoch: self.epoch, seq: self.seq, busy_until_ms }
    }

    /// Compares the append with the last one of the producer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ProducerFenced`], [`ErrorKind::ProducerGap`], and [`ErrorKind::HeaderInvalid`]
    /// for an epoch that does not start at 0.
    pub(crate) fn turn(&self, known: Option<ProducerState>, is_closed: bool) -> Result<Turn> {
        match known {
            Some(last) if self.epoch < last.epoch => Err(Error::new(
                ErrorKind::ProducerFenced,
                format!(
                    "epoch {} of producer {:?} is outdated: epoch {} has taken over",
                    self.epoch, self.id, last.epoch
                ),
            )
            .with_header(headers::PRODUCER_EPOCH, last.epoch)),
            Some(last) if self.epoch == last.epoch && self.seq <= last.seq => {
                Ok(Turn::Duplicate(last))
            }
            // On a closed channel the caller reports `channel-closed`, not a gap.
            _ if is_closed => Ok(Turn::Next),
            Some(last) if self.epoch == last.epoch => self.expect(last.seq + 1),
            Some(_) if self.seq != 0 => Err(Error::new(
                ErrorKind::HeaderInvalid,
                format!("a new epoch must begin with Producer-Seq 0, not {}", self.seq),
            )),
            Some(_) => Ok(Turn::Next),
            None => self.expect(0),
        }
    }

    fn expect(&self, seq: u64) -> Result<Turn> {
        if self.seq == seq {
            return Ok(Turn::Next);
        }
        Err(Error::new(
            ErrorKind::ProducerGap,
            format!("Producer-Seq must be {seq}, got {}", self.seq),
        )
        .with_header(headers::PRODUCER_EXPECTED_SEQ, seq)
        .with_header(headers::PRODUCER_RECEIVED_SEQ, self.seq))
    }
}

/// Checks the id of a producer. Ids with other characters are the channel's own; see
/// [`Tally`](crate::Tally).
///
/// # Errors
///
/// [`ErrorKind::HeaderInvalid`].
pub(crate) fn check_id(id: &str) -> Result<()> {
    if is_id(id) {
        Ok(())
    } else {
        Err(Error::new(
            ErrorKind::HeaderInvalid,
            "the id of a producer must be 1 to 255 visible ASCII characters",
        ))
    }
}

fn number(text: &str) -> Option<u64> {
    digits(text).filter(|&number| number <= MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(epoch: u64, seq: u64, known: Option<(u64, u64)>) -> Result<Turn, ErrorKind> {
        let known = known.map(|(epoch, seq)| ProducerState { epoch, seq, busy_until_ms: 0 });
        Producer { id: "p".into(), epoch, seq }.turn(known, false).map_err(|error| error.kind())
    }

    #[test]
    fn takes_each_append_once_and_in_order() {
        assert_eq!(turn(0, 0, None), Ok(Turn::Next));
        assert_eq!(turn(0, 1, Some((0, 0))), Ok(Turn::Next));
        assert_eq!(
            turn(0, 0, Some((0, 3))),
            Ok(Turn::Duplicate(ProducerState { epoch: 0, seq: 3, busy_until_ms: 0 }))
        );
        assert_eq!(turn(0, 5, Some((0, 3))), Err(ErrorKind::ProducerGap));
        assert_eq!(turn(0, 1, None), Err(ErrorKind::ProducerGap));
    }

    #[test]
    fn fences_off_an_old_epoch() {
        assert_eq!(turn(2, 0, Some((1, 7))), Ok(Turn::Next));
        assert_eq!(turn(2, 1, Some((1, 7))), Err(ErrorKind::HeaderInvalid));
        assert_eq!(turn(0, 8, Some((1, 7))), Err(ErrorKind::ProducerFenced));
    }

    #[test]
    fn two_names_never_become_one() {
        let of = |id: &str| {
            Producer { id: id.into(), epoch: 0, seq: 0 }.validated().map_err(|error| error.kind())
        };
        assert!(of("p~1").is_ok());
        for bad in ["", "Zo\u{fffd}", "Zoë", "a, b", "a\0b", &"x".repeat(256)] {
            assert_eq!(of(bad).unwrap_err(), ErrorKind::HeaderInvalid, "{bad:?}");
        }
    }

    #[test]
    fn reads_integers_strictly() {
        assert_eq!(number("9007199254740991"), Some(MAX));
        for bad in ["", "-1", "+1", "1e3", "1abc", " 1", "9007199254740992"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }
}
