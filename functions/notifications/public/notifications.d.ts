// The types of src/message.rs, for TypeScript: change both together.

/**
 * An event of a user's channel. Unknown members are refused, so that every stored byte is checked.
 */
export type InboxEvent = { "type": "notification", 
/**
 * The id that the publisher chose. A later `at` with the same id replaces the notification
 * and makes it unread again; the same `at` is a repetition.
 */
id: string, title: string, 
/**
 * May be empty.
 */
body: string, 
/**
 * The target of the notification: `https://…`, `http://…` or a path of this site.
 */
url?: string, 
/**
 * When it happened, by the publisher's clock: milliseconds since 1970.
 */
at: number, } | { "type": "read", offset: string, } | { "type": "read-all", upTo: string, } | { "type": "seen", upTo: string, };
