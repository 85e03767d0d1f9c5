//! The events of a room.
//!
//! `public/chat.d.ts` says the same to the page: change both together.

use serde::{Deserialize, Serialize};

/// An event of a room. Unknown members are refused, so that every stored byte is checked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum RoomEvent {
    /// `{"type":"message","id":"m1","from":{"id":"p1","name":"Ann","color":"#2f855a"},"text":"Hello","at":1790000000000}`
    Message {
        /// The id that the page chose, by which it recognises its own message.
        id: String,
        from: Person,
        text: String,
        /// When it was written, by the writer's clock: milliseconds since 1970.
        at: u64,
    },
    /// The tombstone of a deleted message: `{"type":"deleted","offset":"…"}`.
    Deleted { offset: String },
}

/// The author. Every reader sees the id, which is the author's id in presence too; the
/// `Producer-Id` of a page is another id and secret.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    /// The subject of the writer's credential; what the page says, where there is none.
    pub(crate) id: String,
    pub(crate) name: String,
    /// `#rrggbb`.
    pub(crate) color: String,
    /// `true` where the id is a subject. The server says so, no page can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<bool>,
}
