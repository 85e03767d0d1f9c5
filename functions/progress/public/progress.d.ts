// The types of src/message.rs, for TypeScript: change both together.

/**
 * The whole state, so that the newest event is all that a late reader needs:
 * `{"type":"progress","label":"film.mp4","value":4096,"max":90000000,"unit":"bytes","at":1790000000000}`.
 */
export type JobState = { type: Kind, 
/**
 * The name of the job, for people.
 */
label: string, 
/**
 * How much is done.
 */
value: number, 
/**
 * The total, if it is known.
 */
max?: number, 
/**
 * The unit of the count: `bytes`, `frames`; may be empty.
 */
unit: string, 
/**
 * When this state was reached, in milliseconds since 1970, by the publisher's clock.
 */
at: number, 
/**
 * Why it failed, for programs: for an upload the code of an error, such as `body-incomplete`.
 */
reason?: string, 
/**
 * Why it failed, for people.
 */
detail?: string, 
/**
 * For an upload that is done, in hexadecimal digits.
 */
sha256?: string, };

/**
 * The phase of the job. The last two are the last event of their channel.
 */
export type Kind = "progress" | "done" | "failed";
