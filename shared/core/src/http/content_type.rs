//! The content type of the events of a channel.

use serde::{Deserialize, Serialize};

use super::fields::parameters;
use super::request_head::RequestHead;
use crate::error::{Error, ErrorKind, Result};

/// A media type, compared as Durable Streams does: case-insensitively and without parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContentType(String);

impl ContentType {
    /// `application/json`.
    pub fn json() -> ContentType {
        ContentType("application/json".into())
    }

    /// `text/plain`.
    pub fn text() -> ContentType {
        ContentType("text/plain".into())
    }

    /// `application/octet-stream`, the default of a `PUT` without a content type.
    pub fn octet_stream() -> ContentType {
        ContentType("application/octet-stream".into())
    }

    /// Longest header value kept, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Reads `Content-Type` (RFC 9110, section 8.3); `None` if it is absent or empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HeaderInvalid`]; [`ErrorKind::ContentUnsupported`] for text in another charset
    /// than UTF-8, because all text is read as UTF-8.
    pub(crate) fn of(head: &RequestHead<'_>) -> Result<Option<ContentType>> {
        let Some(value) = head.header("content-type").filter(|value| !value.trim().is_empty())
        else {
            return Ok(None);
        };
        let invalid = || {
            Error::new(
                ErrorKind::HeaderInvalid,
                "Content-Type must be type/subtype, with parameters as name=value",
            )
        };
        let content_type =
            ContentType::parse(&value).filter(|_| value.is_ascii()).ok_or_else(invalid)?;
        for parameter in parameters(&value).1 {
            let (name, charset) = parameter.ok_or_else(invalid)?;
            if content_type.is_text()
                && name.eq_ignore_ascii_case("charset")
                && !["utf-8", "utf8", "us-ascii"]
                    .iter()
                    .any(|known| charset.eq_ignore_ascii_case(known))
            {
                return Err(Error::new(
                    ErrorKind::ContentUnsupported,
                    "text must be UTF-8: send it as such, with charset=utf-8 or no charset",
                ));
            }
        }
        Ok(Some(content_type))
    }

    /// Reads the column of a store; `None` if it is not of the form `type/subtype`.
    pub fn parse(value: &str) -> Option<ContentType> {
        let (kind, subtype) = essence(value).split_once('/')?;
        let is_token = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        (is_token(kind) && is_token(subtype) && value.len() <= Self::MAX_BYTES)
            .then(|| ContentType(value.trim().into()))
    }

    /// Whether a browser only shows or saves it. The list names passive types, because browsers
    /// gain new types that run and our list would miss them.
    pub fn is_passive(&self) -> bool {
        const PASSIVE: &[&str] = &[
            "application/json",
            "application/octet-stream",
            "application/x-ndjson",
            "image/avif",
            "image/gif",
            "image/jpeg",
            "image/png",
            "image/webp",
            "text/csv",
            "text/event-stream",
            "text/plain",
        ];
        let essence = essence(&self.0).to_ascii_lowercase();
        PASSIVE.contains(&essence.as_str())
            || essence.starts_with("audio/")
            || essence.starts_with("video/")
    }

    /// As given, parameters included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each event is one JSON value, and a body that is an array is a batch.
    pub fn is_json(&self) -> bool {
        essence(&self.0).eq_ignore_ascii_case("application/json")
    }

    /// Events are text, and enter SSE and JSON unchanged; other events enter as base64.
    pub fn is_text(&self) -> bool {
        self.is_json()
            || essence(&self.0).get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
    }
}

impl PartialEq for ContentType {
    fn eq(&self, other: &ContentType) -> bool {
        essence(&self.0).eq_ignore_ascii_case(essence(&other.0))
    }
}

impl Eq for ContentType {}

fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_without_case_and_parameters() {
        let plain = ContentType::parse("text/plain").unwrap();
        assert_eq!(plain, ContentType::parse("TEXT/Plain; charset=utf-8").unwrap());
        assert_ne!(plain, ContentType::json());
        assert!(plain.is_text() && !plain.is_json() && !ContentType::octet_stream().is_text());
    }

    #[test]
    fn reads_the_header_with_its_parameters() {
        let of = |value: &str| {
            let headers = |name: &str| (name == "content-type").then(|| value.to_owned());
            let read = ContentType::of(&RequestHead {
                method: "PUT",
                url: "",
                path: "",
                query: "",
                headers: &headers,
            });
            read.map(|read| read.map(|read| read.0)).map_err(|error| error.kind())
        };
        for none in ["", " ", "\t"] {
            assert_eq!(of(none), Ok(None), "{none:?}");
        }
        for good in [
            "text/plain",
            "text/plain; charset=utf-8",
            "Text/Plain ;Charset=\"UTF-8\"",
            "text/csv;charset=us-ascii",
            "application/json;charset=utf8; profile=\"a;b, c\"",
            // Bytes are kept as they are, and so is their label.
            "application/xml; charset=iso-8859-1",
        ] {
            assert_eq!(of(good), Ok(Some(good.into())), "{good}");
        }
        for other in [
            "text/plain; charset=iso-8859-1",
            "application/json;charset=\"utf-16\"",
            "text/csv;a=b;CHARSET=latin1",
            "text/plain;charset=utf-8;charset=x",
        ] {
            assert_eq!(of(other), Err(ErrorKind::ContentUnsupported), "{other}");
        }
        for bad in [
            "text",
            "text/plain, text/html",
            "text/plain;a=b, text/html",
            "text/plain;a=b, c=d",
            "text/plain; charset",
            "text/plain;a=\"b",
            "text/plain;a=\"é\"",
        ] {
            assert_eq!(of(bad), Err(ErrorKind::HeaderInvalid), "{bad}");
        }
    }

    #[test]
    fn only_what_is_known_to_run_nothing_is_passive() {
        for (given, is_passive) in [
            ("application/json", true),
            ("Text/Plain; charset=utf-8", true),
            ("image/png", true),
            ("video/mp4", true),
            ("text/html", false),
            ("application/xhtml+xml", false),
            ("image/svg+xml", false),
            ("text/xml", false),
            ("text/javascript", false),
            ("text/css", false),
            ("application/pdf", false),
            ("application/wasm", false),
            ("multipart/x-mixed-replace", false),
            ("x/y", false),
        ] {
            assert_eq!(ContentType::parse(given).unwrap().is_passive(), is_passive, "{given}");
        }
    }

    #[test]
    fn refuses_what_is_no_media_type() {
        for bad in ["", "text", "text/", "/plain", "te xt/plain", "text/pl\0in"] {
            assert!(ContentType::parse(bad).is_none(), "{bad:?}");
        }
    }
}
