// Several are notified, one of them reads. BASE_URL names the server; `npm test` of a copy starts one.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { Inbox } from "../public/inbox.js";

const LIMIT = { timeout: 30_000 };

/** A user that nobody was before; those under `demo-` are open until you change `authorize`. */
const fresh = () => new URL(`demo-test-${randomUUID()}`, `${process.env.BASE_URL}/`);

async function publish(channel, event) {
  const answer = await fetch(channel, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(event) });
  assert.equal(answer.status, 204, await answer.text());
  return answer.headers.get("stream-next-offset");
}

/** What an EventSource shows once it has this many events. */
async function inbox(channel, count) {
  const inbox = new Inbox();
  const { body } = await fetch(channel, { headers: { accept: "text/event-stream" } });
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if ([...text.matchAll(/\n\n/g)].length > count) break;
  }
  for (const [, id, data] of text.matchAll(/^id: ?(.*)\ndata: ?(.*)\n\n/gm)) inbox.take(JSON.parse(data), id);
  return inbox;
}

test("a group is notified, and what one of them reads is unread for the others", LIMIT, async () => {
  const [ann, bo] = [fresh(), fresh()];
  const event = { type: "notification", id: "n1", title: "Lunch", body: "", at: 1 };
  const offset = await publish(ann, event);
  await publish(bo, event);
  await publish(ann, { type: "read", offset });
  assert.equal((await inbox(ann, 2)).unread, 0);
  assert.equal((await inbox(bo, 1)).unread, 1);
});

test("a notification that is sent again is shown once", LIMIT, async () => {
  const ann = fresh();
  const event = { type: "notification", id: "n1", title: "Lunch", body: "", at: 1 };
  await publish(ann, event);
  await publish(ann, event);
  assert.deepEqual((await inbox(ann, 2)).notifications.map(({ title }) => title), ["Lunch"]);
});

test("the page is served with all that it loads", LIMIT, async () => {
  const page = await fetch(`${process.env.BASE_URL}/`);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  const files = [...(await page.text()).matchAll(/(?:href|src)="(-\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(files.length >= 2, `${files}`);
  for (const path of files) assert.equal((await fetch(`${process.env.BASE_URL}/${path}`)).status, 200, path);
});
