//! Rights.

use std::ops::BitOr;

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
    /// Be listed as a member: under the subject of the credential, or under an id that the client
    /// chooses if the credential has no subject. Reading the list takes [`Right::Read`].
    Presence,
    /// With [`Right::Presence`]: choose that id although the credential names a subject, which
    /// every reader would see.
    Alias,
}

impl Right {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Publish => "publish to",
            Right::Manage => "manage",
            Right::Presence => "be present in",
            Right::Alias => "choose your id in",
        }
    }
}

/// The rights of an identity in one channel: `Right::Read | Right::Publish`, or
/// `Right::Read.into()` for a single right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights(u8);

impl Rights {
    /// No right.
    pub const NONE: Rights = Rights(0);
    /// Every right but [`Right::Alias`], which a function grants by name.
    pub const ALL: Rights = Rights(0b1111);

    /// Whether these include the right.
    pub fn allow(self, right: Right) -> bool {
        self.0 & 1 << right as u8 != 0
    }
}

impl From<Right> for Rights {
    fn from(right: Right) -> Rights {
        Rights(1 << right as u8)
    }
}

impl<T: Into<Rights>> BitOr<T> for Rights {
    type Output = Rights;

    fn bitor(self, more: T) -> Rights {
        Rights(self.0 | more.into().0)
    }
}

impl<T: Into<Rights>> BitOr<T> for Right {
    type Output = Rights;

    fn bitor(self, more: T) -> Rights {
        Rights::from(self) | more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_what_was_given_and_no_more() {
        let reader = Rights::from(Right::Read);
        assert!(
            reader.allow(Right::Read)
                && !reader.allow(Right::Publish)
                && !reader.allow(Right::Manage)
        );
        assert!(!Rights::ALL.allow(Right::Alias));
        assert!(Rights::ALL.allow(Right::Manage) && !Rights::NONE.allow(Right::Read));
        let writer = Right::Publish | Right::Presence;
        assert!(
            (reader | writer) == (Right::Read | writer)
                && writer.allow(Right::Presence)
                && !writer.allow(Right::Read)
        );
    }
}
