// The messages of a room arrive on each transport, and its members are known. BASE_URL names the server; `npm test` of a copy starts one.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { get } from "node:http";
import test from "node:test";

const ANN = { id: "ann", name: "Ann", color: "#2f855a" };
const LIMIT = { timeout: 30_000 };

/** A room nobody used before; those under `demo-` are open until you change `authorize`. */
const fresh = (path = "") => new URL(`${path}demo-test-${randomUUID()}`, `${process.env.BASE_URL}/`);

const message = (text) => ({ type: "message", id: randomUUID(), from: ANN, text, at: Date.now() });

const post = (url, body) => fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

async function say(room, text) {
  const answer = await post(room, message(text));
  assert.equal(answer.status, 204, await answer.text());
}

const texts = (events) => events.map((event) => event.text);

test("a message is read by a short poll", LIMIT, async () => {
  const room = fresh();
  await say(room, "one");
  assert.deepEqual(texts(await (await fetch(room)).json()), ["one"]);
});

test("a long poll waits for the next message", LIMIT, async () => {
  const room = fresh();
  await say(room, "one");
  const { headers } = await fetch(room);
  const waiting = fetch(`${room}?live=long-poll&offset=${headers.get("stream-next-offset")}`);
  await say(room, "two");
  assert.deepEqual(texts(await (await waiting).json()), ["two"]);
});

test("an SSE reader gets the past and what comes next", LIMIT, async () => {
  const room = fresh();
  await say(room, "one");
  const { body } = await fetch(room, { headers: { accept: "text/event-stream" } });
  let stream = "";
  let isAnswered = false;
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    stream += chunk;
    if (!isAnswered && stream.includes('"one"')) {
      isAnswered = true;
      await say(room, "two");
    }
    if (stream.includes('"two"')) break;
  }
  const data = [...stream.matchAll(/^data: ?(.*)$/gm)].map(([, text]) => JSON.parse(text));
  assert.deepEqual(texts(data.filter((event) => event.type === "message")), ["one", "two"]);
});

test("a WebSocket reader gets the past and what comes next", LIMIT, async (t) => {
  const room = fresh();
  if (await refusesWebSockets(room)) return t.skip("this platform does not support WebSockets");
  await say(room, "one");
  const events = [];
  await new Promise((done, failed) => {
    const socket = new WebSocket(room.href.replace(/^http/, "ws"), "tidewire.v1");
    socket.onerror = () => failed(new Error("the WebSocket failed"));
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "hello") say(room, "two").catch(failed);
      if (frame.type === "events") events.push(...frame.events.map((event) => event.data));
      if (events.length < 2) return;
      socket.close();
      done();
    };
  });
  assert.deepEqual(texts(events), ["one", "two"]);
});

test("a message that breaks the rules is refused, and nothing of it is stored", LIMIT, async () => {
  const room = fresh();
  assert.equal((await post(room, message(" "))).status, 422);
  assert.deepEqual(await (await fetch(room)).json(), []);
});

test("a member that enters is present, and a member that leaves is not", LIMIT, async () => {
  const presence = fresh("-/presence/");
  const member = { id: "ann", state: { name: "Ann" } };
  assert.equal((await post(presence, member)).status, 200);
  assert.deepEqual((await (await fetch(presence)).json()).members, [member]);
  assert.equal((await post(presence, { ...member, state: null })).status, 200);
  assert.deepEqual((await (await fetch(presence)).json()).members, []);
});

test("the page is served with all that it loads", LIMIT, async () => {
  const page = await fetch(`${process.env.BASE_URL}/`);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  const files = [...(await page.text()).matchAll(/(?:href|src)="(-\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(files.length >= 2, `${files}`);
  for (const path of files) assert.equal((await fetch(`${process.env.BASE_URL}/${path}`)).status, 200, path);
});

/** Whether the server does not support WebSockets (501), as on Spin. With any other answer they must work. */
function refusesWebSockets(room) {
  const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
  const { promise, resolve, reject } = Promise.withResolvers();
  get(room, { headers })
    .on("error", reject)
    .on("upgrade", (_, socket) => resolve(socket.destroy() && false))
    .on("response", (answer) => resolve(answer.resume().statusCode === 501));
  return promise;
}
