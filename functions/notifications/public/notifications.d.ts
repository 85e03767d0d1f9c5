// The types of src/message.rs, for TypeScript: change both together.

/**
 * An event of a user's channel. Members that are not named here are refused: what is stored is all checked.
 */
export type InboxEvent = { "type": "notification", 
/**
 * The publisher's own: with a later `at` it replaces the earlier one of this id and is unread again, else it is the same one, sent twice.
 */
id: string, title: string, 
/**
 * May be empty.
 */
body: string, 
/**
 * What it leads to: `https://…`, `http://…` or a path of this site.
 */
url?: string, 
/**
 * When it came about, by the publisher's clock: milliseconds since 1970.
 */
at: number, } | { "type": "read", offset: string, } | { "type": "read-all", upTo: string, };
