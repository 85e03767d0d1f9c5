// The client against the reference server of Durable Streams, which knows neither our WebSocket nor a native EventSource.

import { DurableStreamTestServer } from "@durable-streams/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publish, publisher, subscribe, type Transport } from "../../shared/client/src/index.ts";
import { eventually } from "../harness/eventually.ts";
import { freshName, numbers } from "../harness/suite.ts";
import { dataOf, take, takeAll } from "./events.ts";
import { LosingProxy } from "./middlebox.ts";

const server = new DurableStreamTestServer({ port: 0, host: "127.0.0.1", longPollTimeout: 2_000 });
beforeAll(() => server.start());
afterAll(() => server.stop());

const WAYS: (readonly Transport[] | undefined)[] = [undefined, ["sse"], ["long-poll"], ["poll"]];

async function create(contentType: string): Promise<string> {
  const channel = `${server.url}/v1/stream/${freshName()}`;
  expect((await fetch(channel, { method: "PUT", headers: { "content-type": contentType } })).status).toBe(201);
  return channel;
}

const finish = (channel: string) => fetch(channel, { method: "POST", headers: { "stream-closed": "true" } });

for (const transports of WAYS) {
  const options = { pollMs: 20, ...(transports && { transports }) };
  const over = transports?.join() ?? "whatever gets through";

  test(`reads history and what comes later to the end, over ${over}`, async () => {
    const channel = await create("application/json");
    await publish(channel, numbers(1, 3));
    const subscription = subscribe(channel, options);
    const events = takeAll(subscription);
    await eventually("it is live", () => subscription.state === "live");
    expect(subscription.transport).toBe(transports?.[0] ?? "sse");
    await publish(channel, 4);
    await publish(channel, [5, 6]);
    await finish(channel);
    expect(dataOf(await events)).toEqual(numbers(1, 6));
  });

  test(`resumes, over ${over}`, async () => {
    const channel = await create("application/json");
    await publish(channel, numbers(1, 3));
    const first = await take(subscribe(channel, options), 3);
    await publish(channel, numbers(4, 5));
    const second = await take(subscribe(channel, { ...options, offset: first.at(-1)!.offset }), 2);
    expect(dataOf([...first, ...second])).toEqual(numbers(1, 5));
  });

  test(`reads text and bytes, over ${over}`, async () => {
    const text = await create("text/plain");
    await publish(text, "zwölf\n", { contentType: "text/plain" });
    await publish(text, "Boxkämpfer", { contentType: "text/plain" });
    await finish(text);
    expect(dataOf(await takeAll(subscribe<string>(text, options))).join("")).toBe("zwölf\nBoxkämpfer");
    const binary = await create("application/octet-stream");
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await publish(binary, bytes);
    await finish(binary);
    expect(dataOf(await takeAll(subscribe(binary, options)))).toEqual([bytes]);
  });
}

test("throws the reference server's refusals as typed errors", async () => {
  const missing = `${server.url}/v1/stream/${freshName()}`;
  await expect(takeAll(subscribe(missing))).rejects.toMatchObject({ name: "TidewireError", status: 404, retryable: false });
  await expect(publish(missing, 1)).rejects.toMatchObject({ status: 404, retryable: false });
});

test("an event that was stored although its answer was lost is not stored again", async () => {
  const channel = await create("application/json");
  const box = await LosingProxy.start(server.url, (request) => request % 2 === 1);
  const send = publisher(channel.replace(server.url, box.url), { backoff: { baseMs: 1, capMs: 2 } });
  const offsets = await Promise.all(numbers(1, 5).map((number) => send(number)));
  expect(await (await fetch(`${channel}?offset=-1`)).json()).toEqual(numbers(1, 5));
  expect(box.lost).toBe(5);
  expect(offsets.at(-1)).toBe((await fetch(channel, { method: "HEAD" })).headers.get("stream-next-offset"));
});
