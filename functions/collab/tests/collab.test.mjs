// A document is written, followed and read as it was. BASE_URL names the server; `npm test` of a copy starts one.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";

const LIMIT = { timeout: 30_000 };
const headers = { "content-type": "application/octet-stream" };

/** Updates of Yjs as bytes: client 1 writes "hi" into the text `t`, then "!". Each is behind its length, as in a body. */
const HI = framed([1, 1, 1, 0, 4, 1, 1, 116, 2, 104, 105, 0]);
const MARK = framed([1, 1, 1, 2, 0x84, 1, 1, 1, 33, 0]);
/** Both as one. */
const BOTH = [1, 1, 1, 0, 4, 1, 1, 116, 3, 104, 105, 33, 0];

function framed(update) {
  return new Uint8Array([update.length, ...update]);
}

/** A document nobody had before; channels under `demo-` are open until you change `authorize`. */
async function create() {
  const name = `demo-test-${randomUUID()}`;
  const document = `${process.env.BASE_URL}/${name}`;
  const answer = await fetch(document, { method: "PUT" });
  assert.equal(answer.status, 201, await answer.text());
  return { name, document };
}

/** Appends and returns the offset after it. */
async function append(document, body) {
  const answer = await fetch(document, { method: "POST", headers, body });
  assert.equal(answer.status, 204, await answer.text());
  return answer.headers.get("stream-next-offset");
}

const bytes = async (address) => [...new Uint8Array(await (await fetch(address)).arrayBuffer())];

test("what is written is read, also as it was before", LIMIT, async () => {
  const { name, document } = await create();
  const offset = await append(document, HI);
  await append(document, MARK);
  assert.deepEqual(await bytes(document), [...HI, ...MARK]);
  assert.deepEqual(await bytes(`${document}?offset=${offset}`), [...MARK]);
  const version = `${process.env.BASE_URL}/-/version/${name}`;
  assert.deepEqual(await bytes(version), BOTH);
  assert.deepEqual(await bytes(`${version}?at=${offset}`), [...HI.slice(1)]);
  const versions = await (await fetch(`${process.env.BASE_URL}/-/versions/${name}`)).json();
  assert.equal(versions[0].offset, offset);
});

test("an edit arrives while a client waits for it", LIMIT, async () => {
  const { document } = await create();
  const offset = await append(document, HI);
  const waiting = bytes(`${document}?live=long-poll&offset=${offset}`);
  await append(document, MARK);
  assert.deepEqual(await waiting, [...MARK]);
});

test("an update that no client could read is refused", LIMIT, async () => {
  const { document } = await create();
  const answer = await fetch(document, { method: "POST", headers, body: framed([1, 2, 3]) });
  assert.equal(answer.status, 422);
  assert.deepEqual(await bytes(document), []);
});

test("the page is served with all that it loads", LIMIT, async () => {
  const page = await fetch(`${process.env.BASE_URL}/`);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  const files = [...(await page.text()).matchAll(/(?:href|src)="(-\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(files.length >= 2, `${files}`);
  for (const path of files) assert.equal((await fetch(`${process.env.BASE_URL}/${path}`)).status, 200, path);
});
