// Updates of Yjs as bodies and events have them.

import * as Y from "yjs";

/** As bodies and events have it: each update behind its length, a varUint of lib0. */
export function framed(...updates: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(updates.flatMap((update) => [...varUint(update.length), ...update]));
}

/** A number as lib0 writes it, also one that 32 bits do not hold. */
export function varUint(number: number): number[] {
  return number < 128 ? [number] : [(number % 128) | 128, ...varUint(Math.floor(number / 128))];
}

/** The updates of an answer. */
export function updatesOf(body: Uint8Array): Uint8Array[] {
  const updates = [];
  for (let at = 0; at < body.length; ) {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = body[at++]!;
      length |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    updates.push(body.subarray(at, at + length));
    at += length;
  }
  return updates;
}

/** The document of these updates. */
export function docOf(updates: Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc;
}
