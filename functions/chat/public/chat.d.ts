// The types of src/message.rs, for TypeScript: change both together.

/**
 * An event of a room. Unknown members are refused, so that every stored byte is checked.
 */
export type RoomEvent = { "type": "message", 
/**
 * The id that the page chose, by which it recognises its own message.
 */
id: string, from: Person, text: string, 
/**
 * When it was written, by the writer's clock: milliseconds since 1970.
 */
at: number, } | { "type": "deleted", offset: string, };

/**
 * The author. Every reader sees the id, which is the author's id in presence too; the
 * `Producer-Id` of a page is another id and secret.
 */
export type Person = { 
/**
 * The subject of the writer's credential; what the page says, where there is none.
 */
id: string, name: string, 
/**
 * `#rrggbb`.
 */
color: string, 
/**
 * `true` where the id is a subject. The server says so, no page can.
 */
verified?: boolean, };
