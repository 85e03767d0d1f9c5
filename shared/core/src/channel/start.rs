//! Where a read starts.

use serde::{Deserialize, Serialize};

use super::offset::Offset;
use crate::error::Result;

/// Start position of a read (Durable Streams, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// `-1`: before the oldest event kept. Never a gap.
    Beginning,
    /// `now`: after the last event.
    Tail,
    /// After this offset.
    After(Offset),
}

impl Start {
    /// Reads `-1`, `now` or an offset.
    ///
    /// # Errors
    ///
    /// [`OffsetMalformed`](crate::ErrorKind::OffsetMalformed).
    pub fn parse(text: &str) -> Result<Start> {
        Ok(match text {
            "now" => Start::Tail,
            _ => match text.parse()? {
                Offset::BEGINNING => Start::Beginning,
                offset => Start::After(offset),
            },
        })
    }

    /// Defines the precedence: `Last-Event-ID`, then `last_event_id`, then `offset`; `None` without
    /// any. An empty id counts as absent: a client without an id may send it so, and 400 would end
    /// an `EventSource` for good.
    ///
    /// # Errors
    ///
    /// [`OffsetMalformed`](crate::ErrorKind::OffsetMalformed), of the value that takes precedence.
    pub fn choose(
        last_event_id_header: Option<&str>,
        last_event_id: Option<&str>,
        offset: Option<&str>,
    ) -> Result<Option<Start>> {
        let given = |id: &&str| !id.is_empty();
        last_event_id_header
            .filter(given)
            .or(last_event_id.filter(given))
            .or(offset)
            .map(Start::parse)
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_header_beats_last_event_id_beats_offset() {
        let token = "00000000000a_00000000000001";
        let after = Start::After(Offset { epoch: 10, seq: 1 });
        assert_eq!(Start::choose(Some(token), Some("now"), Some("-1")).unwrap(), Some(after));
        assert_eq!(Start::choose(None, Some("now"), Some(token)).unwrap(), Some(Start::Tail));
        assert_eq!(Start::choose(None, None, Some("-1")).unwrap(), Some(Start::Beginning));
        assert_eq!(Start::choose(None, None, None).unwrap(), None);
    }

    #[test]
    fn only_the_one_that_wins_has_to_be_right() {
        assert_eq!(Start::choose(Some("now"), Some("?"), Some("?")).unwrap(), Some(Start::Tail));
        assert_eq!(Start::choose(Some(""), Some(""), Some("now")).unwrap(), Some(Start::Tail));
        assert_eq!(Start::choose(Some(""), None, None).unwrap(), None);
        assert_eq!(
            Start::choose(None, None, Some("")).unwrap_err().kind(),
            ErrorKind::OffsetMalformed
        );
        for malformed in ["NOW", "now ", "-2", "\u{fffd}"] {
            assert_eq!(
                Start::choose(Some(malformed), Some("now"), None).unwrap_err().kind(),
                ErrorKind::OffsetMalformed,
                "{malformed:?}"
            );
        }
    }
}
