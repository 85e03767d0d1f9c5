// What no client of Yjs should send: good messages of clients that nobody knows, damaged, or good but for their clocks.

import * as Y from "yjs";
import { varUint } from "./document.ts";
import { between, pick, type Random } from "./random.ts";
import { turnOf } from "./yjs.ts";

/** Numbers with which sums overflow, and their neighbours. */
const NUMBERS = [0, 1, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 52, 2 ** 53 - 2, 2 ** 53, 2 ** 63];
/** Those that the wire can hold. */
const CLOCKS = NUMBERS.filter((number) => number < 2 ** 53);
/** Without surrogates: Yjs replaces a pair that is split, and not in every document alike. */
const WORDS = ["a", "word ", "é", "。"];

const sized = (bytes: number[]) => [...varUint(bytes.length), ...bytes];
const sizedText = (text: string) => sized([...new TextEncoder().encode(text)]);

/** A client of its own for each message: two that gave one name to different contents would confuse any Yjs. */
const stranger = (random: Random) => between(random, 2 ** 40, 2 ** 52);

/** A change of one place: anything, huge numbers and cuts among it. */
function damage(bytes: number[], random: Random): void {
  const at = between(random, 0, bytes.length);
  pick(random, [
    () => bytes.splice(at),
    () => bytes.splice(at, 1),
    () => bytes.splice(at, 1, between(random, 0, 255)),
    () => bytes.splice(at, 0, between(random, 0, 255)),
    () => bytes.splice(at, between(random, 0, 2), ...varUint(pick(random, NUMBERS))),
    () => bytes.splice(at, 0, ...bytes.slice(at, at + between(random, 1, 20))),
    () => bytes.push(0, 0, 0),
  ])();
}

/** Damages the half: what is good brings the next to be read. */
function damaged(bytes: number[], random: Random): number[] {
  for (let left = pick(random, [0, 0, 1, 2]); left > 0; left -= 1) damage(bytes, random);
  return bytes;
}

/** A good update of one struct or deletion, far from all that there is. */
function absurd(random: Random): number[] {
  const [client, clock] = [varUint(stranger(random)), varUint(pick(random, CLOCKS))];
  return pick(random, [
    [1, 1, ...client, ...clock, 4, 1, ...sizedText("text"), ...sizedText("absurd"), 0],
    [1, 1, ...client, ...clock, 0, ...varUint(pick(random, CLOCKS)), 0],
    [0, 1, ...client, 1, ...clock, ...varUint(pick(random, CLOCKS))],
  ]);
}

/** An update, or what was one. */
export function hostileUpdate(random: Random): Uint8Array {
  if (random() < 0.4) return new Uint8Array(absurd(random));
  const doc = new Y.Doc();
  doc.clientID = stranger(random);
  for (let turns = between(random, 1, 3); turns > 0; turns -= 1) turnOf(doc, random, WORDS);
  return new Uint8Array(damaged([...Y.encodeStateAsUpdate(doc)], random));
}

/** Bytes of awareness, or what was that. */
export function hostileAwareness(random: Random): Uint8Array {
  const states = Array.from({ length: between(random, 0, 3) }, () => {
    const state = pick(random, ["{}", '{"name":"stranger"}', "null", "[".repeat(100), '"\\ud800"', `"${"a".repeat(5_000)}"`]);
    return [...varUint(stranger(random)), ...varUint(pick(random, CLOCKS)), ...sizedText(state)];
  });
  return new Uint8Array(damaged([...varUint(states.length), ...states.flat()], random));
}

/** A message of y-websocket, or what was one. */
export function hostileMessage(random: Random): Uint8Array {
  const update = () => sized([...hostileUpdate(random)]);
  const vector = () => sized(damaged([2, ...varUint(stranger(random)), ...varUint(pick(random, CLOCKS)), ...varUint(stranger(random)), 1], random));
  const message = pick(random, [
    () => [0, 0, ...vector()],
    () => [0, 1, ...update()],
    () => [0, 2, ...update()],
    () => [0, 2, ...update()],
    () => [1, ...sized([...hostileAwareness(random)])],
    () => [2, 0, ...sizedText("no")],
    () => [3],
    () => [102, ...sized([between(random, 0, 255)])],
  ])();
  // The frame itself.
  if (random() < 0.1) damage(message, random);
  return new Uint8Array(message);
}
