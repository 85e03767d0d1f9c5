//! The events of a user's channel.
//!
//! `public/notifications.d.ts` says the same to the page and to publishers in TypeScript: change
//! both together.

use serde::{Deserialize, Serialize};

/// An event of a user's channel. Unknown members are refused, so that every stored byte is checked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum InboxEvent {
    /// `{"type":"notification","id":"order-17","title":"Your order has been
    /// sent","body":"","url":"/orders/17","at":1790000000000}`
    Notification {
        /// The id that the publisher chose. A later `at` with the same id replaces the notification
        /// and makes it unread again; the same `at` is a repetition.
        id: String,
        title: String,
        /// May be empty.
        body: String,
        /// The target of the notification: `https://…`, `http://…` or a path of this site.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// When it happened, by the publisher's clock: milliseconds since 1970.
        at: u64,
    },
    /// The notification at this offset was read: `{"type":"read","offset":"…"}`.
    Read { offset: String },
    /// All notifications up to and including this offset were read:
    /// `{"type":"read-all","upTo":"…"}`.
    ReadAll {
        #[serde(rename = "upTo")]
        up_to: String,
    },
    /// A page that is visible shows all notifications up to and including this offset, which are
    /// therefore not pushed: `{"type":"seen","upTo":"…"}`. They stay unread.
    Seen {
        #[serde(rename = "upTo")]
        up_to: String,
    },
}
