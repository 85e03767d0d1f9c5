// A job is followed to its end, and a file is uploaded. BASE_URL names the server; `npm test` of a copy starts one.

import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import test from "node:test";
import { Job } from "../public/job.js";

const LIMIT = { timeout: 30_000 };

/** A job nobody had before; channels under `demo-` are open until you change `authorize`. */
const fresh = () => `demo-test-${randomUUID()}`;

test("a job is published, and ends with its channel", LIMIT, async () => {
  const channel = `${process.env.BASE_URL}/${fresh()}`;
  const job = new Job(channel, { label: "test", max: 100 });
  await job.start();
  for (let step = 1; step <= 100; step++) job.report(step);
  await job.done();
  const answer = await fetch(channel);
  const events = await answer.json();
  assert.equal(answer.headers.get("stream-closed"), "true");
  assert.ok(events.length <= 4, `${events.length} events`);
  assert.deepEqual([events.at(-1).type, events.at(-1).value], ["done", 100]);
});

test("an upload is counted and hashed", LIMIT, async () => {
  const name = fresh();
  const body = randomBytes(2_000_000);
  const answer = await fetch(`${process.env.BASE_URL}/-/upload/${name}?name=a.bin`, { method: "PUT", body });
  const last = await answer.json();
  assert.equal(answer.status, 200, last.detail);
  assert.deepEqual([last.label, last.value, last.sha256], ["a.bin", body.length, createHash("sha256").update(body).digest("hex")]);
  assert.deepEqual((await (await fetch(`${process.env.BASE_URL}/${name}`)).json()).at(-1), last);
});

test("the page is served with all that it loads", LIMIT, async () => {
  const page = await fetch(`${process.env.BASE_URL}/`);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  const files = [...(await page.text()).matchAll(/(?:href|src)="(-\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(files.length >= 2, `${files}`);
  for (const path of files) assert.equal((await fetch(`${process.env.BASE_URL}/${path}`)).status, 200, path);
});
