//! What an event of a room looks like.
//!
//! `public/chat.d.ts` says the same to the page: `UPDATE_EXPECT=1 cargo test` writes it anew.

use serde::{Deserialize, Serialize};

/// An event of a room. Members that are not named here are refused: what is stored is all checked.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum RoomEvent {
    /// `{"type":"message","id":"m1","from":{"id":"p1","name":"Ann","color":"#2f855a"},"text":"Hello","at":1790000000000}`
    Message {
        /// The page's own, by which it knows its message again.
        id: String,
        from: Person,
        text: String,
        /// When it was written, by the writer's clock: milliseconds since 1970.
        at: u64,
    },
    /// What is left of a message that was deleted: `{"type":"deleted","offset":"…"}`.
    Deleted { offset: String },
}

/// Who wrote it. The id is seen by all, and the same as among those present; the `Producer-Id` of a page is another one and its secret.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `#rrggbb`.
    pub(crate) color: String,
}

#[cfg(test)]
mod tests {
    use std::path::absolute;

    use expect_test::expect_file;
    use ts_rs::{Config, TS};

    use super::{Person, RoomEvent};

    #[test]
    fn the_page_has_these_types() {
        let config = Config::new().with_large_int("number");
        let declaration = |docs: Option<String>, declaration: String| format!("{}export {declaration}\n", docs.unwrap_or_default());
        let types = [declaration(RoomEvent::docs(), RoomEvent::decl(&config)), declaration(Person::docs(), Person::decl(&config))];
        expect_file![absolute("public/chat.d.ts").unwrap()].assert_eq(&format!("// Generated from src/message.rs; do not edit.\n\n{}", types.join("\n")));
    }
}
