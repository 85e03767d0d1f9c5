// What the page of `collab` makes of a text area: the change of a text, and the bytes of the protocol.

import { expect, test } from "vitest";
import * as Y from "yjs";
import { between, pick, randomFrom } from "../harness/random.ts";

/** The modules of the page, which are written for browsers. */
const load = async <Module>(name: string) => (await import(new URL(`../../functions/collab/public/${name}`, import.meta.url).href)) as Module;

const { difference: change } = await load<{ difference(before: string, after: string, caret?: number): { at: number; deleted: number; inserted: string } }>("diff.js");
const { awareness, framed, unframed, toBase64, fromBase64 } = await load<{
  awareness(client: number, clock: number, state: unknown): Uint8Array;
  framed(updates: Uint8Array[]): Uint8Array;
  unframed(bytes: Uint8Array): Uint8Array[];
  toBase64(bytes: Uint8Array): string;
  fromBase64(base64: string): Uint8Array;
}>("frames.js");

test("a letter among its likes is put where it was typed", () => {
  expect(change("aaaa", "aaaaa", 2)).toEqual({ at: 1, deleted: 0, inserted: "a" });
  expect(change("aaaa", "aaa", 1)).toEqual({ at: 1, deleted: 1, inserted: "" });
  expect(change("one two", "one 2 two", 6)).toEqual({ at: 4, deleted: 0, inserted: "2 " });
  expect(change("same", "same", 2)).toMatchObject({ deleted: 0, inserted: "" });
  expect(change("", "new")).toEqual({ at: 0, deleted: 0, inserted: "new" });
});

test("any two texts differ by one change, which cuts no character in two", () => {
  const random = randomFrom(11);
  const letters = ["a", "b", "\n", "é", "👩", "🚀", "👨"];
  const word = () => Array.from({ length: between(random, 0, 8) }, () => pick(random, letters)).join("");
  for (let round = 0; round < 20_000; round++) {
    const [before, after] = [word(), word()];
    const { at, deleted, inserted } = change(before, after, between(random, 0, after.length));
    expect(before.slice(0, at) + inserted + before.slice(at + deleted)).toBe(after);
    for (const part of [before.slice(0, at), before.slice(at, at + deleted), before.slice(at + deleted), inserted]) expect(part.isWellFormed(), JSON.stringify([before, after])).toBe(true);
  }
});

test("frames are those of the protocol, and broken ones are refused", () => {
  const updates = [1, 127, 128, 300, 20_000].map((length) => new Uint8Array(length).fill(length));
  const bytes = framed(updates);
  expect([...bytes.slice(0, 2)]).toEqual([1, 1]);
  expect([...bytes.slice(130, 132)]).toEqual([128, 1]);
  expect(unframed(bytes)).toEqual(updates);
  expect(unframed(new Uint8Array())).toEqual([]);
  for (const broken of [[2, 1], [0x80], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]) expect(() => unframed(Uint8Array.from(broken))).toThrow(RangeError);
  expect(fromBase64(toBase64(updates[4]!))).toEqual(updates[4]);
});

test("awareness is the message that y-protocols sends", () => {
  expect([...awareness(1, 0, {})]).toEqual([6, 1, 1, 0, 2, 0x7b, 0x7d]);
  expect([...awareness(300, 7, null)]).toEqual([9, 1, 0xac, 2, 7, 4, 0x6e, 0x75, 0x6c, 0x6c]);
  // Client ids have 32 bits, more than a shift of JavaScript holds.
  expect([...awareness(0xffff_ffff, 0, {})].slice(2, 7)).toEqual([0xff, 0xff, 0xff, 0xff, 0x0f]);
});

test("updates go through frames unchanged", () => {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, "hello");
  const [update] = unframed(framed([Y.encodeStateAsUpdate(doc)]));
  const other = new Y.Doc();
  Y.applyUpdate(other, update!);
  expect(other.getText("text").toString()).toBe("hello");
});
