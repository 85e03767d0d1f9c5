//! The name of a channel.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::error::{Error, ErrorKind, Result};

/// A checked channel name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelName(String);

/// Whether a name may have several segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameShape {
    /// One path segment.
    Segment,
    /// One or more path segments; `/` is part of the name.
    Path,
    /// The same for shared documents: `docs/` at the beginning of a path does not belong to the
    /// name, because clients of the Yjs protocol of Durable Streams put it there and clients of
    /// y-websocket do not. Only such channels have [awareness](crate::Awareness).
    Document,
}

impl ChannelName {
    /// Longest name, in bytes after decoding. Ours: it leaves room for a prefix within the 2,048
    /// bytes of an object's name.
    pub const MAX_BYTES: usize = 255;

    /// Reads a name from the rest of a request path, percent-decoding it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ChannelNameInvalid`]. An encoded slash is refused, because proxies decode it
    /// differently.
    pub fn from_path(path: &str, shape: NameShape) -> Result<ChannelName> {
        let invalid = |why: String| Error::new(ErrorKind::ChannelNameInvalid, why);
        let path = match shape {
            NameShape::Document => path.strip_prefix("docs/").unwrap_or(path),
            NameShape::Segment | NameShape::Path => path,
        };
        let mut name = String::with_capacity(path.len());
        for (index, segment) in path.split('/').enumerate() {
            if index > 0 {
                if shape == NameShape::Segment {
                    return Err(invalid(
                        "a channel name of this function must be one path segment, without `/`"
                            .into(),
                    ));
                }
                name.push('/');
            }
            // Decoded once, and after the split: an encoded slash must not become a separator.
            let segment = percent_decode_str(segment)
                .decode_utf8()
                .map_err(|_| invalid("the channel name must be UTF-8".into()))?;
            if segment.is_empty() {
                return Err(invalid(
                    "a channel name and each of its segments must not be empty".into(),
                ));
            }
            if segment == "." || segment == ".." {
                return Err(invalid("a channel name must not have a segment `.` or `..`".into()));
            }
            if let Some(wrong) =
                segment.chars().find(|c| !(c.is_ascii_alphanumeric() || "._~:@-".contains(*c)))
            {
                return Err(invalid(format!(
                    "a channel name must not contain {wrong:?}: use letters, digits and . _ ~ : @ -"
                )));
            }
            name.push_str(&segment);
        }
        if name.starts_with('-') {
            return Err(invalid("a channel name must not start with `-`".into()));
        }
        if name.len() > Self::MAX_BYTES {
            return Err(invalid(format!(
                "a channel name must have at most {} bytes, this one has {}",
                Self::MAX_BYTES,
                name.len()
            )));
        }
        let name = ChannelName(name);
        if name.tenant().is_some_and(|tenant| tenant.len() + 1 == name.0.len()) {
            return Err(invalid(format!(
                "{:?} is the prefix of a tenant, not a channel: add a name after the `:`",
                name.0
            )));
        }
        Ok(name)
    }

    /// The tenant of the channel: the part of the name before the first `:`, in the first segment.
    pub fn tenant(&self) -> Option<&str> {
        let (tenant, _) = self.0.split_once(':')?;
        (!tenant.is_empty() && !tenant.contains('/')).then_some(tenant)
    }

    /// For a tenant's own name, the prefix of its channels' names.
    pub(crate) fn beginning(&self) -> Option<ChannelName> {
        let is_tenant = !self.0.contains(':') && self.0.len() < Self::MAX_BYTES;
        is_tenant.then(|| ChannelName(format!("{}:", self.0)))
    }

    /// Whether anyone may use the channel to try a template: such channels are small, short-lived
    /// and limited in rate.
    pub fn is_demo(&self) -> bool {
        self.0.starts_with("demo-")
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_before_it_checks() {
        assert_eq!(
            ChannelName::from_path("room%2D1", NameShape::Segment).unwrap().as_str(),
            "room-1"
        );
        assert_eq!(ChannelName::from_path("a/b", NameShape::Path).unwrap().as_str(), "a/b");
    }

    #[test]
    fn a_document_has_one_name_at_both_of_its_addresses() {
        let name = |path, shape| ChannelName::from_path(path, shape).unwrap().to_string();
        for (path, expected) in [
            ("docs/a", "a"),
            ("a", "a"),
            ("docs/a/b", "a/b"),
            ("docs", "docs"),
            ("a/docs/b", "a/docs/b"),
        ] {
            assert_eq!(name(path, NameShape::Document), expected);
        }
        assert_eq!(name("docs/a", NameShape::Path), "docs/a");
        assert!(ChannelName::from_path("docs/", NameShape::Document).is_err());
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        for bad in [
            "",
            "-x",
            "%2dx",
            "a%2Fb",
            "a%00b",
            "a%0d",
            "a%0A",
            ".",
            "..",
            "%2e%2e",
            "a b",
            "a%20b",
            "é",
            "%ff",
            "a\\b",
            &"x".repeat(256),
        ] {
            assert!(ChannelName::from_path(bad, NameShape::Segment).is_err(), "{bad:?}");
        }
        for bad in ["/", "a/", "/a", "a//b", "a/../b", "a/%2e/b"] {
            assert!(ChannelName::from_path(bad, NameShape::Path).is_err(), "{bad:?}");
        }
        assert!(ChannelName::from_path("a/b", NameShape::Segment).is_err());
    }
}
