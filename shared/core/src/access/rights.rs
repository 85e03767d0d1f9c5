//! Rights.

use serde::{Deserialize, Serialize};

/// One right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Read events, on any transport.
    Read,
    /// Append events, and create the channel if the function does so on publish.
    Publish,
    /// Create, close and delete the channel.
    Manage,
    /// Be listed as a member. Reading the list takes [`Right::Read`].
    Presence,
}

impl Right {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Publish => "publish to",
            Right::Manage => "manage",
            Right::Presence => "be present in",
        }
    }
}

/// The rights of an identity in one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights(u8);

impl Rights {
    /// No right.
    pub const NONE: Rights = Rights(0);
    /// Every right.
    pub const ALL: Rights = Rights(u8::MAX);

    /// Adds a right.
    #[must_use]
    pub fn with(self, right: Right) -> Rights {
        Rights(self.0 | 1 << right as u8)
    }

    /// Whether these include the right.
    pub fn allow(self, right: Right) -> bool {
        self.0 & 1 << right as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_what_was_given_and_no_more() {
        let reader = Rights::NONE.with(Right::Read);
        assert!(reader.allow(Right::Read) && !reader.allow(Right::Publish) && !reader.allow(Right::Manage));
        assert!(Rights::ALL.allow(Right::Manage) && !Rights::NONE.allow(Right::Read));
    }
}
