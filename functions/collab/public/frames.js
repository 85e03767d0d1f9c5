// @ts-check
// The bytes of the Durable Streams Yjs protocol: updates, each behind its length, and awareness.

const bytesOf = new TextEncoder();

/** lib0's `varUint`: seven bits in each byte, the lowest first. @param {number} number */
function uint(number) {
  const bytes = [];
  for (; number > 0x7f; number = Math.floor(number / 0x80)) bytes.push((number % 0x80) | 0x80);
  return [...bytes, number];
}

/** @param {Uint8Array[]} parts */
function join(parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The body of a `POST`. @param {Uint8Array[]} updates */
export const framed = (updates) => join(updates.flatMap((update) => [Uint8Array.from(uint(update.length)), update]));

/** The updates in a body. @param {Uint8Array} bytes @returns {Uint8Array[]} */
export function unframed(bytes) {
  const updates = [];
  for (let at = 0; at < bytes.length; ) {
    let length = 0;
    for (let scale = 1, more = true; more; scale *= 0x80) {
      if (at === bytes.length) throw new RangeError("a length is cut off");
      more = bytes[at] > 0x7f;
      length += (bytes[at++] & 0x7f) * scale;
    }
    if (at + length > bytes.length) throw new RangeError("an update is cut off");
    updates.push(bytes.slice(at, at + length));
    at += length;
  }
  return updates;
}

/** The state of one client as an awareness update; `null`: it leaves. @param {number} client @param {number} clock @param {unknown} state */
export function awareness(client, clock, state) {
  const json = bytesOf.encode(JSON.stringify(state));
  return framed([Uint8Array.from([1, ...uint(client), ...uint(clock), ...uint(json.length), ...json])]);
}

/** @param {Uint8Array} bytes */
export const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
/** @param {string} base64 */
export const fromBase64 = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
