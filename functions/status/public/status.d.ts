// The types of src/message.rs, for TypeScript: change both together.

/**
 * The whole board, by component.
 */
export type Board = { [key in string]: Component };

/**
 * How a component is.
 */
export type Component = { state: Condition, 
/**
 * For people; may be empty.
 */
note: string, 
/**
 * Since when, in milliseconds since 1970.
 */
since: number, };

/**
 * From good to bad.
 */
export type Condition = "operational" | "degraded" | "down";
