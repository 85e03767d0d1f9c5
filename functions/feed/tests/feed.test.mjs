// An event of the feed arrives on each transport. BASE_URL names the server; `npm test` of a copy starts one.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { get } from "node:http";
import test from "node:test";

const SAMPLE = { at: 1, values: { temperature_c: 21.5 } };
const LIMIT = { timeout: 30_000 };

/** A channel nobody used before; those under `demo-` are open until you change `authorize`. */
const fresh = () => new URL(`demo-test-${randomUUID()}`, `${process.env.BASE_URL}/`);

async function publish(channel, event) {
  const answer = await fetch(channel, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(event) });
  assert.equal(answer.status, 204, await answer.text());
}

test("a published event is read by a short poll", LIMIT, async () => {
  const channel = fresh();
  await publish(channel, SAMPLE);
  assert.deepEqual(await (await fetch(channel)).json(), [SAMPLE]);
});

test("a long poll waits for the next event", LIMIT, async () => {
  const channel = fresh();
  await publish(channel, SAMPLE);
  const { headers } = await fetch(channel);
  const waiting = fetch(`${channel}?live=long-poll&offset=${headers.get("stream-next-offset")}`);
  await publish(channel, { ...SAMPLE, at: 2 });
  assert.deepEqual(await (await waiting).json(), [{ ...SAMPLE, at: 2 }]);
});

test("an SSE reader gets the past and what comes next", LIMIT, async () => {
  const channel = fresh();
  await publish(channel, SAMPLE);
  const { body } = await fetch(channel, { headers: { accept: "text/event-stream" } });
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    if (!text) await publish(channel, { ...SAMPLE, at: 2 });
    text += chunk;
    if (text.includes('"at":2')) break;
  }
  const events = [...text.matchAll(/^data:(.*)$/gm)].map(([, data]) => JSON.parse(data).at);
  assert.deepEqual(events, [1, 2]);
});

test("a WebSocket reader gets the past and what comes next", LIMIT, async (t) => {
  const channel = fresh();
  if (await refusesWebSockets(channel)) return t.skip("this platform does not support WebSockets");
  await publish(channel, SAMPLE);
  const events = [];
  await new Promise((done, failed) => {
    const socket = new WebSocket(channel.href.replace(/^http/, "ws"), "tidewire.v1");
    socket.onerror = () => failed(new Error("the WebSocket failed"));
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "hello") publish(channel, { ...SAMPLE, at: 2 }).catch(failed);
      if (frame.type === "events") events.push(...frame.events.map((event) => event.data.at));
      if (events.length < 2) return;
      socket.close();
      done();
    };
  });
  assert.deepEqual(events, [1, 2]);
});

test("the page is served with all that it loads", LIMIT, async () => {
  const page = await fetch(`${process.env.BASE_URL}/`);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  const files = [...(await page.text()).matchAll(/(?:href|src)="(-\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(files.length >= 2, `${files}`);
  for (const path of files) assert.equal((await fetch(`${process.env.BASE_URL}/${path}`)).status, 200, path);
});

/** Whether the server does not support WebSockets (501), as on Spin. With any other answer they must work. */
function refusesWebSockets(channel) {
  const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
  const { promise, resolve, reject } = Promise.withResolvers();
  get(channel, { headers })
    .on("error", reject)
    .on("upgrade", (_, socket) => resolve(socket.destroy() && false))
    .on("response", (answer) => resolve(answer.resume().statusCode === 501));
  return promise;
}
