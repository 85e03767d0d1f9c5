//! What the events of a channel hold.

use serde::{Deserialize, Serialize};

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

    /// `application/octet-stream`, what a `PUT` without a content type means.
    pub fn octet_stream() -> ContentType {
        ContentType("application/octet-stream".into())
    }

    /// Longest header value kept, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Reads a header value; `None` when it is not of the form `type/subtype`.
    pub fn parse(value: &str) -> Option<ContentType> {
        let (kind, subtype) = essence(value).split_once('/')?;
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
        (is_token(kind) && is_token(subtype) && value.len() <= Self::MAX_BYTES).then(|| ContentType(value.trim().into()))
    }

    /// As it was given, parameters included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each event is one JSON value, and a body that is an array is a batch.
    pub fn is_json(&self) -> bool {
        essence(&self.0).eq_ignore_ascii_case("application/json")
    }

    /// Events are text, and go into SSE and JSON as they are; anything else goes as base64.
    pub fn is_text(&self) -> bool {
        self.is_json() || essence(&self.0).get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
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
    fn refuses_what_is_no_media_type() {
        for bad in ["", "text", "text/", "/plain", "te xt/plain", "text/pl\0in"] {
            assert!(ContentType::parse(bad).is_none(), "{bad:?}");
        }
    }
}
