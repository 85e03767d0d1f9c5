// The types of src/message.rs, for TypeScript: change both together.

/**
 * The whole state, so that the newest event is all that a late reader needs:
 * `{"type":"progress","label":"film.mp4","value":4096,"max":90000000,"unit":"bytes","at":1790000000000}`.
 */
export type JobState = { type: Kind, 
/**
 * What it is, for people.
 */
label: string, 
/**
 * How much is done.
 */
value: number, 
/**
 * How much there is to do, if that is known.
 */
max?: number, 
/**
 * What is counted: `bytes`, `frames`; may be empty.
 */
unit: string, 
/**
 * When it was so, in milliseconds since 1970, by the clock of who publishes.
 */
at: number, 
/**
 * Why it failed, for programs: of an upload the code of an error, as `body-incomplete`.
 */
reason?: string, 
/**
 * The same for people.
 */
detail?: string, 
/**
 * Of an upload that is done, in hexadecimal digits.
 */
sha256?: string, };

/**
 * How far it is. The last two are the last event of their channel.
 */
export type Kind = "progress" | "done" | "failed";
