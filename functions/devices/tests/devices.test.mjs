// A command reaches a device that waits, and the answer of the device reaches the sender. BASE_URL names the server; `npm test` of a copy starts one.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";

async function publish(channel, line) {
  const answer = await fetch(channel, { method: "POST", headers: { "content-type": "text/plain" }, body: line });
  assert.equal(answer.status, 204, await answer.text());
  return answer.headers.get("stream-next-offset");
}

test("a device that waits gets the command, and its answer can be read", { timeout: 30_000 }, async () => {
  // A device nobody used before; those under `demo-` are open until you change `authorize`.
  const device = `${process.env.BASE_URL}/demo-test-${randomUUID()}`;
  const offset = await publish(device, "c1 on");
  const waiting = fetch(`${device}?live=long-poll&offset=${offset}`);
  await publish(device, "c2 off");
  assert.equal(await (await waiting).text(), "c2 off");
  await publish(`${device}:done`, "c2 done");
  assert.equal(await (await fetch(`${device}:done`)).text(), "c2 done");
});

test("the page is served with all that it loads", { timeout: 30_000 }, async () => {
  const page = await fetch(`${process.env.BASE_URL}/`);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  const files = [...(await page.text()).matchAll(/(?:href|src)="(-\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(files.length >= 2, `${files}`);
  for (const path of files) assert.equal((await fetch(`${process.env.BASE_URL}/${path}`)).status, 200, path);
});
