//! What an event of a function means for Web Push.

use tidewire_core::Offset;

use crate::message::Urgency;

/// A notification, as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A later notice with this id and a later `at` replaces the earlier notice; with an equal `at`
    /// it is a repetition.
    pub id: String,
    /// First line.
    pub title: String,
    /// The text below it; shortened if the message would be too long.
    pub body: String,
    /// Where a click leads: `https://…`, `http://…`, or a path of the page's site.
    pub url: Option<String>,
    /// When it happened, in milliseconds since 1970, by the publisher's clock.
    pub at_ms: u64,
    /// How soon the service wakes a device on battery.
    pub urgency: Urgency,
}

/// What an event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is pushed, unless a later event takes it back in time.
    Notice(Notice),
    /// A reader has the notice at this offset: it is not pushed.
    Read(Offset),
    /// A reader has all notices up to and including this offset.
    ReadUpTo(Offset),
    /// Nothing.
    Nothing,
}
