//! What an event of a user's channel looks like.
//!
//! `public/notifications.d.ts` says the same to the page and to publishers in TypeScript: change both together.

use serde::{Deserialize, Serialize};

/// An event of a user's channel. Members that are not named here are refused: what is stored is all checked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum InboxEvent {
    /// `{"type":"notification","id":"order-17","title":"Your order has been sent","body":"","url":"/orders/17","at":1790000000000}`
    Notification {
        /// The publisher's own: with a later `at` it replaces the earlier one of this id and is unread again, else it is the same one, sent twice.
        id: String,
        title: String,
        /// May be empty.
        body: String,
        /// What it leads to: `https://…`, `http://…` or a path of this site.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// When it came about, by the publisher's clock: milliseconds since 1970.
        at: u64,
    },
    /// The notification that has this offset was read: `{"type":"read","offset":"…"}`.
    Read { offset: String },
    /// All up to and with this offset were read: `{"type":"read-all","upTo":"…"}`.
    ReadAll {
        #[serde(rename = "upTo")]
        up_to: String,
    },
}
