// A reader gets appended data on each transport of the protocol. BASE_URL names the server; `npm test` of a copy starts one.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";

const LIMIT = { timeout: 30_000 };

/** A new stream of text; those under `demo-` are open until you change `authorize`. */
async function create() {
  const stream = new URL(`v1/stream/demo-test-${randomUUID()}`, `${process.env.BASE_URL}/`);
  const answer = await fetch(stream, { method: "PUT", headers: { "content-type": "text/plain" } });
  assert.equal(answer.status, 201, await answer.text());
  return stream;
}

/** Appends and returns the offset after it. */
async function append(stream, text) {
  const answer = await fetch(stream, { method: "POST", headers: { "content-type": "text/plain" }, body: text });
  assert.equal(answer.status, 204, await answer.text());
  return answer.headers.get("stream-next-offset");
}

test("appended data is read from the beginning and after an offset", LIMIT, async () => {
  const stream = await create();
  const offset = await append(stream, "one");
  await append(stream, "two");
  assert.equal(await (await fetch(stream)).text(), "onetwo");
  assert.equal(await (await fetch(`${stream}?offset=${offset}`)).text(), "two");
});

test("a stream that was not made is not found", LIMIT, async () => {
  const stream = new URL(`v1/stream/demo-test-${randomUUID()}`, `${process.env.BASE_URL}/`);
  assert.equal((await fetch(stream)).status, 404);
});

test("a long poll waits for the next append", LIMIT, async () => {
  const stream = await create();
  const offset = await append(stream, "one");
  const waiting = fetch(`${stream}?live=long-poll&offset=${offset}`);
  await append(stream, "two");
  assert.equal(await (await waiting).text(), "two");
});

test("an SSE reader gets the past and what comes next", LIMIT, async () => {
  const stream = await create();
  await append(stream, "one");
  const { body } = await fetch(`${stream}?live=sse&offset=-1`);
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    if (!text) await append(stream, "two");
    text += chunk;
    if (/^data: ?two$/m.test(text)) break;
  }
  const data = [...text.matchAll(/^event: ?data\ndata: ?(.*)$/gm)].map(([, data]) => data);
  assert.deepEqual(data, ["one", "two"]);
});

test("a closed stream refuses further data", LIMIT, async () => {
  const stream = await create();
  const closed = await fetch(stream, { method: "POST", headers: { "stream-closed": "true" } });
  assert.ok(closed.ok, await closed.text());
  const refused = await fetch(stream, { method: "POST", headers: { "content-type": "text/plain" }, body: "late" });
  assert.equal(refused.status, 409);
});
