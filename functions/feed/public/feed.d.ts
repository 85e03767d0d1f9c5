// The types of src/message.rs, for TypeScript: change both together.

/**
 * A sample: one point in each of its series.
 */
export type Sample = { 
/**
 * When it was taken, in milliseconds since 1970. Without it the page cannot show the delay.
 */
at?: number, 
/**
 * The values by series. The end of a name is its unit: `cpu_percent`, `net_sent_kb_s`.
 */
values: { [key in string]: number }, };
