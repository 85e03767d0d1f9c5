// The types of src/message.rs, for TypeScript: change both together.

/**
 * The whole board, by component.
 */
export type Board = { [key in string]: Component };

/**
 * The state of one component.
 */
export type Component = { state: Condition, 
/**
 * For people; may be empty.
 */
note: string, 
/**
 * Since when it is in this state, in milliseconds since 1970.
 */
since: number, };

/**
 * From good to bad.
 */
export type Condition = "operational" | "degraded" | "down";
