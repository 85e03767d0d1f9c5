//! When a channel ends by itself: `Stream-TTL` and `Stream-Expires-At` of Durable Streams.
//!
//! A sliding TTL starts again with each read and append that reaches the channel. Storing each of
//! them would turn every read into a write, so the time is stored only once a tenth of the TTL has
//! passed: a channel may end by that much early, never late.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::http::headers::set;
use crate::http::{Reply, RequestHead, headers};

/// When a channel ends by itself. An ended channel behaves as if deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// A fixed time after the last read or append.
    Sliding {
        /// `Stream-TTL`, in seconds.
        ttl_s: u32,
        /// The last read or append that was stored, in milliseconds since 1970; 0 before there is a
        /// channel.
        touched_at_ms: u64,
    },
    /// At a fixed time.
    At {
        /// `Stream-Expires-At`, in milliseconds since 1970.
        at_ms: u64,
    },
}

impl Expiry {
    /// Reads the two headers; `None` if both are absent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HeaderInvalid`] if both are present or one is malformed.
    pub(crate) fn parse(head: &RequestHead<'_>) -> Result<Option<Expiry>> {
        let invalid = |why: &str| Error::new(ErrorKind::HeaderInvalid, why);
        match ["stream-ttl", "stream-expires-at"].map(|name| head.header(name)) {
            [None, None] => Ok(None),
            [Some(_), Some(_)] => Err(invalid("send Stream-TTL or Stream-Expires-At, not both")),
            [Some(ttl), None] => {
                let ttl_s =
                    seconds(&ttl).ok_or_else(|| invalid("Stream-TTL must be a number of seconds from 0 to 4294967295, without sign or leading zeros"))?;
                Ok(Some(Expiry::Sliding { ttl_s, touched_at_ms: 0 }))
            }
            [None, Some(at)] => {
                let at = DateTime::parse_from_rfc3339(&at).map_err(|_| {
                    invalid(
                        "Stream-Expires-At must be an RFC 3339 time, such as 2030-01-31T12:00:00Z",
                    )
                })?;
                // A time before 1970 is in the past, just as 1970 is.
                Ok(Some(Expiry::At { at_ms: at.timestamp_millis().try_into().unwrap_or(0) }))
            }
        }
    }

    /// From the columns of a store: `ttl_s`, `expires_at_ms` and `touched_at_ms`.
    pub fn from_columns(
        ttl_s: Option<u64>,
        expires_at_ms: Option<u64>,
        touched_at_ms: Option<u64>,
    ) -> Option<Expiry> {
        match (ttl_s, expires_at_ms) {
            (Some(ttl_s), _) => Some(Expiry::Sliding {
                ttl_s: ttl_s.try_into().unwrap_or(u32::MAX),
                touched_at_ms: touched_at_ms.unwrap_or(0),
            }),
            (None, at_ms) => at_ms.map(|at_ms| Expiry::At { at_ms }),
        }
    }

    /// The columns of a store: `ttl_s`, `expires_at_ms` and `touched_at_ms`.
    pub fn columns(expiry: Option<Expiry>) -> [Option<u64>; 3] {
        match expiry {
            Some(Expiry::Sliding { ttl_s, touched_at_ms }) => {
                [Some(ttl_s.into()), None, Some(touched_at_ms)]
            }
            Some(Expiry::At { at_ms }) => [None, Some(at_ms), None],
            None => [None; 3],
        }
    }

    /// When the channel ends, in milliseconds since 1970.
    pub fn ends_at_ms(self) -> u64 {
        match self {
            Expiry::Sliding { ttl_s, touched_at_ms } => touched_at_ms + u64::from(ttl_s) * 1000,
            Expiry::At { at_ms } => at_ms,
        }
    }

    /// The same configuration, with a sliding TTL that starts at this time.
    pub(crate) fn begun(self, now_ms: u64) -> Expiry {
        match self {
            Expiry::Sliding { ttl_s, .. } => Expiry::Sliding { ttl_s, touched_at_ms: now_ms },
            fixed @ Expiry::At { .. } => fixed,
        }
    }

    /// The configuration after a read or append, if it must be stored.
    pub(crate) fn slid(self, now_ms: u64) -> Option<Expiry> {
        let Expiry::Sliding { ttl_s, .. } = self else { return None };
        let remaining_ms = self.ends_at_ms().saturating_sub(now_ms);
        (remaining_ms < u64::from(ttl_s) * 900).then(|| self.begun(now_ms))
    }

    /// Returns the configuration in the header that set it.
    pub(crate) fn set(self, reply: &mut Reply) {
        match self {
            Expiry::Sliding { ttl_s, .. } => set(reply, headers::TTL, &ttl_s.to_string()),
            Expiry::At { at_ms } => {
                if let Some(at) =
                    i64::try_from(at_ms).ok().and_then(DateTime::from_timestamp_millis)
                {
                    set(
                        reply,
                        headers::EXPIRES_AT,
                        &at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
                    );
                }
            }
        }
    }
}

/// Decimal digits only, without sign, point, exponent or leading zeros.
fn seconds(text: &str) -> Option<u32> {
    let digits =
        text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::headers::reply;

    fn parsed(headers: &[(&str, &str)]) -> Result<Option<Expiry>, ErrorKind> {
        let headers = |name: &str| {
            headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.to_string())
        };
        Expiry::parse(&RequestHead {
            method: "PUT",
            url: "",
            path: "",
            query: "",
            headers: &headers,
        })
        .map_err(|error| error.kind())
    }

    #[test]
    fn reads_seconds_strictly() {
        assert_eq!(
            parsed(&[("stream-ttl", "0")]),
            Ok(Some(Expiry::Sliding { ttl_s: 0, touched_at_ms: 0 }))
        );
        assert_eq!(
            parsed(&[("stream-ttl", "4294967295")]),
            Ok(Some(Expiry::Sliding { ttl_s: u32::MAX, touched_at_ms: 0 }))
        );
        for bad in
            ["", "00060", "+60", "-1", "60.5", "1e3", "abc", " 60", "60 ", "4294967296", "60, 60"]
        {
            assert_eq!(parsed(&[("stream-ttl", bad)]), Err(ErrorKind::HeaderInvalid), "{bad:?}");
        }
    }

    #[test]
    fn reads_times_strictly() {
        let at = |text| parsed(&[("stream-expires-at", text)]);
        assert_eq!(
            at("2030-01-31T12:00:00.5+02:00"),
            Ok(Some(Expiry::At { at_ms: 1_896_084_000_500 }))
        );
        assert_eq!(at("1969-12-31T23:59:59Z"), Ok(Some(Expiry::At { at_ms: 0 })));
        for bad in [
            "",
            "not-a-timestamp",
            "2030-01-31",
            "2030-01-31T12:00:00",
            "2030-02-30T12:00:00Z",
            "2030-01-31T25:00:00Z",
            "1896084000",
            "Thu, 31 Jan 2030 12:00:00 GMT",
        ] {
            assert_eq!(at(bad), Err(ErrorKind::HeaderInvalid), "{bad:?}");
        }
    }

    #[test]
    fn takes_one_of_the_two_headers() {
        assert_eq!(parsed(&[]), Ok(None));
        assert_eq!(
            parsed(&[("stream-ttl", "60"), ("stream-expires-at", "2030-01-31T12:00:00Z")]),
            Err(ErrorKind::HeaderInvalid)
        );
    }

    #[test]
    fn survives_the_store() {
        for expiry in [
            None,
            Some(Expiry::At { at_ms: 7 }),
            Some(Expiry::Sliding { ttl_s: 60, touched_at_ms: 9 }),
        ] {
            let [ttl_s, expires_at_ms, touched_at_ms] = Expiry::columns(expiry);
            assert_eq!(Expiry::from_columns(ttl_s, expires_at_ms, touched_at_ms), expiry);
        }
    }

    #[test]
    fn slides_once_a_tenth_has_passed() {
        let expiry = Expiry::Sliding { ttl_s: 60, touched_at_ms: 1_000 };
        assert_eq!(expiry.ends_at_ms(), 61_000);
        assert_eq!(expiry.slid(7_000), None);
        assert_eq!(expiry.slid(7_001), Some(Expiry::Sliding { ttl_s: 60, touched_at_ms: 7_001 }));
        // A clock that was set back takes nothing away.
        assert_eq!(expiry.slid(500), None);
        assert_eq!(Expiry::At { at_ms: 9_000 }.slid(8_999), None);
    }

    #[test]
    fn tells_what_was_configured() {
        let told = |expiry: Expiry, name: &str| {
            let mut reply = reply(http::StatusCode::OK, "");
            expiry.set(&mut reply);
            reply.headers()[name].to_str().unwrap().to_owned()
        };
        assert_eq!(told(Expiry::Sliding { ttl_s: 60, touched_at_ms: 9 }, "stream-ttl"), "60");
        assert_eq!(
            told(Expiry::At { at_ms: 1_896_084_000_000 }, "stream-expires-at"),
            "2030-01-31T10:00:00Z"
        );
    }
}
