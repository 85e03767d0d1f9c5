//! Who may do what.

use serde::{Deserialize, Serialize};

/// One thing that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Read events, on any transport.
    Read,
    /// Append events, and create the channel where the function does so on publish.
    Publish,
    /// Create, close and delete the channel.
    Manage,
    /// Be seen among those present. Seeing them takes [`Right::Read`].
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

/// What an identity may do in one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights(u8);

impl Rights {
    /// Nothing.
    pub const NONE: Rights = Rights(0);
    /// Everything.
    pub const ALL: Rights = Rights(u8::MAX);

    /// These rights and one more.
    #[must_use]
    pub fn with(self, right: Right) -> Rights {
        Rights(self.0 | 1 << right as u8)
    }

    /// Whether the right is among them.
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
