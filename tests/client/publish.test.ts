// The client's `publish`: against our server, and against servers in trouble.

import { expect, test } from "vitest";
import { publish, publisher, subscribe } from "../../shared/client/src/index.ts";
import { freshName, numbers, useServer } from "../harness/suite.ts";
import { dataOf, take } from "./events.ts";
import { LosingProxy, serve } from "./middlebox.ts";

const server = useServer();
const bytesOf = (text: string) => new TextEncoder().encode(text).buffer;
const FAST = { backoff: { baseMs: 1, capMs: 2 } };

test("stores a value, a batch, and an array that is one event; and returns where they end", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  await publish(channel, { a: 1 });
  await publish(channel, [1, 2]);
  const last = await publish(channel, [[3]]);
  const events = await take(subscribe(channel), 4);
  expect(dataOf(events)).toEqual([{ a: 1 }, 1, 2, [3]]);
  expect(events.at(-1)!.offset).toBe(last);
});

test("stores bytes in any form as they are, and nothing of what it cannot send", async () => {
  const channel = `${server.url}/v1/stream/${freshName()}`;
  await fetch(channel, { method: "PUT", headers: { "content-type": "application/octet-stream" } });
  const bytes = Uint8Array.of(0, 254, 255);
  for (const data of [bytes, bytes.buffer, new DataView(bytes.buffer), new Int8Array(bytes.buffer), new Blob([bytes])]) await publish(channel, data);
  expect(new Uint8Array(await (await fetch(channel)).arrayBuffer())).toEqual(Uint8Array.from(Array(5).fill([...bytes]).flat()));

  const json = `${server.url}/feed/${freshName()}`;
  await publish(json, { a: 1 });
  for (const data of [new Map([[1, 2]]), new Set([1]), [new ArrayBuffer(3)], undefined, () => 1, 1n]) await expect(publish(json, data)).rejects.toThrow(TypeError);
  await expect(publish(json, bytes)).rejects.toMatchObject({ code: "content-type-mismatch" });
  await publish(json, bytesOf('{"b":2}'), { contentType: "application/json" });
  expect(await (await fetch(json)).json()).toEqual([{ a: 1 }, { b: 2 }]);
});

test("throws what the server refuses, at once", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const refusal = (data: unknown, options = {}) => publish(channel, data, options).catch((error: unknown) => error);
  expect(await refusal([])).toMatchObject({ name: "TidewireError", code: "body-empty", status: 400, retryable: false });
  expect(await refusal("x".repeat(70_000))).toMatchObject({ code: "event-too-large", status: 413, retryable: false, detail: expect.stringMatching(/./) });
  await publish(channel, 1);
  expect(await refusal("text", { contentType: "text/plain" })).toMatchObject({ code: "content-type-mismatch", status: 409 });
});

test("sends again after a fault of the server and a broken connection", async () => {
  const bodies: string[] = [];
  const base = await serve(async (asked, answer) => {
    bodies.push(Buffer.concat(await asked.toArray()).toString());
    if (bodies.length === 1) answer.writeHead(500).end();
    else if (bodies.length === 2) asked.socket.resetAndDestroy();
    else answer.writeHead(204, { "stream-next-offset": "7" }).end();
  });
  expect(await publish(base, { a: 1 }, FAST)).toBe("7");
  expect(bodies).toEqual(['{"a":1}', '{"a":1}', '{"a":1}']);
});

test("gives up after as many attempts as it may make", async () => {
  let requests = 0;
  const base = await serve((_, answer) => {
    requests += 1;
    answer.writeHead(503, { "content-type": "application/problem+json" });
    answer.end(JSON.stringify({ type: "urn:tidewire:too-many-readers", title: "t", status: 503, detail: "d" }));
  });
  await expect(publish(base, 1, { ...FAST, attempts: 3 })).rejects.toMatchObject({ code: "too-many-readers", status: 503, detail: "d", retryable: true });
  expect(requests).toBe(3);
});

test("does not retry without the feature, or at an address that does not belong to a channel", async () => {
  let requests = 0;
  const base = await serve((asked, answer) => {
    requests += 1;
    answer.writeHead(asked.url === "/501" ? 501 : 200).end("<html>");
  });
  await expect(publish(`${base}/501`, 1, FAST)).rejects.toMatchObject({ code: "http-501", detail: "<html>", retryable: false });
  await expect(publish(`${base}/login`, 1, FAST)).rejects.toMatchObject({ code: "connection-lost", retryable: false });
  expect(requests).toBe(2);
});

test("stops by a signal, also while it waits", async () => {
  const abort = new AbortController();
  const base = await serve((_, answer) => {
    answer.writeHead(503, { "retry-after": "3600" }).end();
    setImmediate(() => abort.abort(new Error("enough")));
  });
  await expect(publish(base, 1, { signal: abort.signal })).rejects.toThrow("enough");
});

test("an event that was stored although its answer was lost is not stored again, and the order stays", async () => {
  const name = freshName();
  const box = await LosingProxy.start(server.url, (request) => request % 3 !== 0);
  const send = publisher(`${box.url}/feed/${name}`, FAST);
  const offsets = await Promise.all(numbers(1, 10).map((number) => send(number)));
  expect(await (await fetch(`${server.url}/feed/${name}`)).json()).toEqual(numbers(1, 10));
  expect(box.lost).toBe(20);
  expect(offsets).toEqual([...offsets].sort());
  await publish(`${box.url}/feed/${name}`, 11, FAST);
  expect(await (await fetch(`${server.url}/feed/${name}`)).json()).toEqual(numbers(1, 11));
});

test("after a publish of which nobody knows whether it arrived the next is not taken for it", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const box = await LosingProxy.start(server.url, (request) => request <= 2);
  const send = publisher(channel.replace(server.url, box.url), { ...FAST, attempts: 2 });
  await expect(send("arrived")).rejects.toMatchObject({ code: "connection-lost", retryable: true });
  await send("next");
  expect(await (await fetch(channel)).json()).toEqual(["arrived", "next"]);
});

test("a refused publish leaves no hole, and neither does a channel that was created again", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const send = publisher(channel, FAST);
  const [first, refused, second] = await Promise.allSettled([send(1), send("x".repeat(70_000)), send(2)]);
  expect([first!.status, refused!.status, second!.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await fetch(channel, { method: "DELETE" });
  await send(3);
  expect(await (await fetch(channel)).json()).toEqual([3]);
});

test("requests a fresh token when a token was refused, once", async () => {
  const seen: (string | undefined)[] = [];
  const base = await serve((asked, answer) => {
    seen.push(asked.headers.authorization);
    answer.writeHead(asked.headers.authorization === "Bearer fresh" ? 204 : 401, { "stream-next-offset": "7" }).end();
  });
  expect(await publish(base, 1, { token: async (wasRefused) => (wasRefused ? "fresh" : "stale") })).toBe("7");
  expect(seen).toEqual(["Bearer stale", "Bearer fresh"]);
  await expect(publish(`${base}/b`, 1, { token: () => "stale" })).rejects.toMatchObject({ status: 401, retryable: false });
  expect(seen).toHaveLength(4);
});
