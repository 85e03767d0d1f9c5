// The limits, on every transport: what a channel under `demo-` may cost, how often may be published, how deep JSON may be, how many may read.

import { expect, test } from "vitest";
import { read } from "../harness/readers.ts";
import { eventually } from "../harness/eventually.ts";
import { Server } from "../harness/server.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, header, numbers, publish, publishAll, useOwnServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys } from "../harness/ticket.ts";

const JSON_TYPE = { "content-type": "application/json" };

// Policy::demo.
const DEMO_LIFE_S = 3_600;
const DEMO_EVENTS_AT_ONCE = 200;

const post = (channel: string, body: string, headers: Record<string, string> = {}) =>
  fetch(channel, { method: "POST", headers: { ...JSON_TYPE, ...headers }, body });

async function expectProblem(answer: Response, status: number, code: string): Promise<void> {
  const body = await answer.text();
  expect(answer.status, body).toBe(status);
  expect((JSON.parse(body) as { type: string }).type).toBe(`urn:tidewire:${code}`);
}

describeOwnServer("a channel under demo-", () => {
  const server = useOwnServer("demo", { OPEN_ACCESS: "false" });
  const channel = (path = "feed") => `${server.url}/${path}/${freshName()}`;

  test("ends an hour after the last read or append", async () => {
    const feed = channel();
    await publish(feed, "made by a publish");
    expect(header(await fetch(feed, { method: "HEAD" }), "stream-ttl")).toBe(String(DEMO_LIFE_S));
  });

  test("ends an hour after the last read or append when it is made over a WebSocket", { tags: ["websocket"] }, async () => {
    const feed = channel();
    const socket = await Socket.open(feed);
    socket.send({ type: "publish", id: "1", data: 1 });
    await socket.first("ack");
    expect(header(await fetch(feed, { method: "HEAD" }), "stream-ttl")).toBe(String(DEMO_LIFE_S));
  });

  test("is made for less, but not for longer", async () => {
    const put = (stream: string, headers: Record<string, string>) => fetch(stream, { method: "PUT", headers: { ...JSON_TYPE, ...headers } });
    const at = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();
    for (const headers of [{ "stream-ttl": "3601" }, { "stream-expires-at": at(7_200) }] as Record<string, string>[]) {
      await expectProblem(await put(channel("v1/stream"), headers), 400, "header-invalid");
    }
    for (const headers of [{}, { "stream-ttl": "60" }, { "stream-expires-at": at(600) }] as Record<string, string>[]) {
      const stream = channel("v1/stream");
      expect((await put(stream, headers)).status).toBe(201);
      expect((await put(stream, headers)).status).toBe(200);
    }
  });

  test("keeps no more than a mebibyte", async () => {
    const feed = channel();
    const batch = Array.from({ length: 10 }, () => "x".repeat(60_000));
    const first = await publishAll(feed, batch);
    await publishAll(feed, batch);
    await expectProblem(await fetch(`${feed}?offset=${first.replace(/.$/, "1")}`), 410, "offset-gone");
    const kept = (await (await fetch(feed)).text()).length;
    expect(kept).toBeGreaterThan(900_000);
    expect(kept).toBeLessThan(1_060_000);
  });

  test("takes so many events of all its visitors together, whatever they call themselves", async () => {
    const feed = channel();
    await expectProblem(await post(feed, JSON.stringify(numbers(1, DEMO_EVENTS_AT_ONCE + 1))), 413, "batch-too-large");
    const answers: Response[] = [];
    for (const name of ["a", "b", "c"]) {
      const producer = { "producer-id": name, "producer-epoch": "0", "producer-seq": "0" };
      answers.push(await post(feed, JSON.stringify(numbers(1, DEMO_EVENTS_AT_ONCE / 2)), producer));
    }
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(Number(header(answers[2]!, "retry-after"))).toBeGreaterThan(0);
    await expectProblem(answers[2]!, 429, "rate-exceeded");
    await publish(channel(), "another channel has a rate of its own");
    expect(((await (await fetch(feed)).json()) as unknown[]).length).toBe(DEMO_EVENTS_AT_ONCE);
  });

  test("takes no more over a WebSocket", { tags: ["websocket"] }, async () => {
    const feed = channel();
    await publishAll(feed, numbers(1, DEMO_EVENTS_AT_ONCE));
    const socket = await Socket.open(feed, { offset: "now" });
    for (const seq of [0, 1, 2]) socket.send({ type: "publish", id: `${seq}`, data: seq, producer: { id: `p${seq}`, epoch: 0, seq: 0 } });
    // The time that this took admits one or another.
    const error = await socket.first("error");
    expect([error.code, error.status]).toEqual(["rate-exceeded", 429]);
    expect((error as { retryAfterMs?: number }).retryAfterMs).toBeGreaterThan(0);
    expect(socket.closeCode).toBeUndefined();
  });
});

describeOwnServer("limits", () => {
  const server = useOwnServer("limits", { MAX_READERS: "2", HEARTBEAT_MS: "1000" });
  const channel = (path = "feed") => `${server.url}/${path}/${freshName()}`;
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

  test("a channel under demo- is like every other where all are open", async () => {
    const feed = channel();
    await publishAll(feed, numbers(1, 1_000));
    expect((await fetch(feed, { method: "HEAD" })).headers.has("stream-ttl")).toBe(false);
  });

  test("JSON is nested 64 levels deep", async () => {
    const feed = channel();
    const deepest = `{"a":${nested(63)}}`;
    expect((await post(feed, deepest)).status).toBe(204);
    await expectProblem(await post(feed, `{"a":${nested(64)}}`), 422, "json-too-deep");
    await expectProblem(await post(feed, `[1,${nested(65)}]`), 422, "json-too-deep");
    expect(await (await fetch(feed)).text()).toBe(`[${deepest}]`);
    const stream = channel("v1/stream");
    await expectProblem(await fetch(stream, { method: "PUT", headers: JSON_TYPE, body: nested(66) }), 422, "json-too-deep");
    expect((await fetch(stream)).status).toBe(404);
  });

  test("JSON is nested 64 levels deep over a WebSocket", { tags: ["websocket"] }, async () => {
    const socket = await Socket.open(channel());
    socket.send(`{"type":"publish","id":"1","data":${nested(65)}}`);
    socket.send(`{"type":"publish","id":"2","data":${nested(64)}}`);
    expect((await socket.first("ack")).id).toBe("2");
    expect(socket.all("error").map(({ id, code }) => [id, code])).toEqual([["1", "json-too-deep"]]);
  });

  test("a channel has so many readers at once", { tags: ["durable-objects"] }, async () => {
    const feed = channel();
    await publish(feed, 1);
    const first = read("sse", feed);
    const second = await Socket.open(feed);
    await second.hasEvents(1);
    await eventually("it reads", () => first.events.length === 1);
    const answer = await fetch(feed, { headers: { accept: "text/event-stream" } });
    expect(header(answer, "retry-after")).toBe("5");
    await expectProblem(answer, 503, "too-many-readers");
    const refused = await Socket.open(feed);
    expect((await refused.first("error")).code).toBe("too-many-readers");
    expect(await refused.closed()).toBe(1013);
    await publish(channel(), "others");
    first.close();
    await eventually("its place is free", async () => {
      const another = await Socket.open(feed);
      await eventually("it is answered", () => another.frames.length > 0);
      return another.all("hello").length === 1;
    });
  });
});

describeOwnServer("the platform's limiter", () => {
  test("holds back who asks too often, whatever is asked", { tags: ["durable-objects"] }, async () => {
    const key = freshKey();
    const server = await Server.start({ name: "request-rate", vars: { TICKET_KEYS: ticketKeys(key) }, requestsIn10s: 3 });
    try {
      const feed = `${server.url}/feed/${freshName()}`;
      const answers = [];
      for (let n = 0; n < 8; n++) answers.push(await (n % 2 ? fetch(feed) : post(feed, "1")));
      const refused = answers.filter((answer) => answer.status === 429);
      // The window may turn over in between.
      expect(refused.length).toBeGreaterThanOrEqual(2);
      expect(header(refused[0]!, "retry-after")).toBe("10");
      await expectProblem(refused[0]!, 429, "rate-exceeded");
      // Another identity from the same address has its own.
      const headers = { authorization: `Bearer ${mint(key, { aud: "feed", ch: "*", rights: ["read"], sub: "ann" })}` };
      expect((await fetch(feed, { headers })).status).toBe(200);
      // A page is no request to a channel.
      expect((await fetch(`${server.url}/feed/`)).status).toBe(200);
    } finally {
      await server.stop();
    }
  });
});
