// The vectors of `shared/yjs`: they contain what clients of npm `yjs` sent, and the output of the codec has the same meaning for these clients.
// UPDATE_EXPECT=1 writes the documents; then `UPDATE_EXPECT=1 cargo test -p tidewire-yjs --test vectors` writes the results.

import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { base64, bytesOf, contentOf, DOCUMENTS, documentOf, stateVectorOf } from "../harness/yjs.ts";

interface Result {
  name: string;
  merged: string;
  compacted: string;
  /** Of a peer that has the first so many updates. */
  peers: { updates: number; stateVector: string; lacks: string }[];
}

const FOLDER = new URL("../../shared/yjs/vectors/", import.meta.url);
const file = (name: string) => new URL(name, FOLDER);

if (process.env.UPDATE_EXPECT) writeFileSync(file("documents.json"), `${JSON.stringify(DOCUMENTS, null, 1)}\n`);

const RESULTS = JSON.parse(readFileSync(file("results.json"), "utf8")) as Result[];

test("the documents are what yjs makes", () => {
  expect(JSON.parse(readFileSync(file("documents.json"), "utf8"))).toEqual(DOCUMENTS);
});

describe.each(DOCUMENTS)("$name: $purpose", ({ name, updates, stateVector, content }) => {
  const result = RESULTS.find((result) => result.name === name)!;
  const all = updates.map(bytesOf);

  test.each(["merged", "compacted"] as const)("%s, it is the same to yjs", (kind) => {
    const update = bytesOf(result[kind]);
    expect(contentOf(documentOf([update]))).toEqual(content);
    expect(stateVectorOf([update])).toBe(stateVector);
    expect(base64(Y.encodeStateVector(documentOf([update])))).toBe(base64(Y.encodeStateVector(documentOf(all))));
    // Another client may have all of it already, or hear of it from yjs.
    expect(contentOf(documentOf([...all, update]))).toEqual(content);
    expect(contentOf(documentOf([Y.mergeUpdates([update, ...all])]))).toEqual(content);
  });

  test("a peer gets what it lacks", () => {
    expect(result.peers.length).toBeGreaterThan(0);
    for (const peer of result.peers) {
      const doc = documentOf(all.slice(0, peer.updates));
      expect(peer.stateVector).toBe(stateVectorOf(all.slice(0, peer.updates)));
      const lacks = bytesOf(peer.lacks);
      Y.applyUpdate(doc, lacks);
      expect(contentOf(doc)).toEqual(content);
      // And no unit that it has.
      for (const [client, from] of Y.parseUpdateMeta(lacks).from) {
        expect(from).toBeGreaterThanOrEqual(Y.decodeStateVector(bytesOf(peer.stateVector)).get(client) ?? 0);
      }
    }
  });
});
