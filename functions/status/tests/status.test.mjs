// A publisher sets a status, and a reader polls it twice. BASE_URL names the server; `npm test` of a copy starts one.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";

const LIMIT = { timeout: 30_000 };

/** A channel nobody used before; those under `demo-` are open until you change `authorize`. */
const fresh = () => new URL(`demo-test-${randomUUID()}`, `${process.env.BASE_URL}/`);

async function set(channel, value) {
  const answer = await fetch(channel, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });
  assert.equal(answer.status, 204, await answer.text());
}

test("the newest value is the answer", LIMIT, async () => {
  const channel = fresh();
  await set(channel, { API: { state: "down" } });
  await set(channel, { API: { state: "operational" } });
  assert.deepEqual(await (await fetch(channel)).json(), [{ API: { state: "operational" } }]);
});

test("a reader that has the status gets a 304, with the time of its next poll", LIMIT, async () => {
  const channel = fresh();
  await set(channel, {});
  const headers = { "if-none-match": (await fetch(channel)).headers.get("etag") };
  const answer = await fetch(channel, { headers });
  assert.equal(answer.status, 304);
  assert.ok(Number(answer.headers.get("retry-after")) > 0);
  await set(channel, { API: { state: "down" } });
  assert.equal((await fetch(channel, { headers })).status, 200);
});

test("the page is served with all that it loads", LIMIT, async () => {
  const page = await fetch(`${process.env.BASE_URL}/`);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  const files = [...(await page.text()).matchAll(/(?:href|src)="(-\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(files.length >= 2, `${files}`);
  for (const path of files) assert.equal((await fetch(`${process.env.BASE_URL}/${path}`)).status, 200, path);
});
