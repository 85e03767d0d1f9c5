// Generated from src/message.rs; do not edit.

/**
 * An event of a room. Members that are not named here are refused: what is stored is all checked.
 */
export type RoomEvent = { "type": "message", 
/**
 * The page's own, by which it knows its message again.
 */
id: string, from: Person, text: string, 
/**
 * When it was written, by the writer's clock: milliseconds since 1970.
 */
at: number, } | { "type": "deleted", offset: string, };

/**
 * Who wrote it. The id is seen by all, and the same as among those present; the `Producer-Id` of a page is another one and its secret.
 */
export type Person = { id: string, name: string, 
/**
 * `#rrggbb`.
 */
color: string, };
