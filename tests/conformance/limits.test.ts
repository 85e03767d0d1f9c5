// The limits, on every transport and every way in: the cost of a channel under `demo-`, the rate of publishes, the depth of JSON, the number of readers.

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { read } from "../harness/readers.ts";
import { eventually } from "../harness/eventually.ts";
import { offers } from "../harness/platform.ts";
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

  test("counts the first content of a channel as any other", async () => {
    const stream = channel("v1/stream");
    const half = JSON.stringify(numbers(1, DEMO_EVENTS_AT_ONCE * 0.75));
    expect((await fetch(stream, { method: "PUT", headers: JSON_TYPE, body: half })).status).toBe(201);
    await expectProblem(await post(stream, half), 429, "rate-exceeded");
    const all = JSON.stringify(numbers(1, DEMO_EVENTS_AT_ONCE + 1));
    await expectProblem(await fetch(channel("v1/stream"), { method: "PUT", headers: JSON_TYPE, body: all }), 413, "batch-too-large");
  });

  test("refuses more over a WebSocket", { tags: ["websocket"] }, async () => {
    const feed = channel();
    await publishAll(feed, numbers(1, DEMO_EVENTS_AT_ONCE));
    const socket = await Socket.open(feed, { offset: "now" });
    for (const seq of numbers(1, 40)) socket.send({ type: "publish", id: `${seq}`, data: seq, producer: { id: `p${seq}`, epoch: 0, seq: 0 } });
    // The time that this takes admits one each 50 ms, never all.
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

/** Every way in which something comes to a channel. */
const WAYS = ["post", "put", "presence", "revocation", "publish frame", "presence frame"] as const;
type Way = (typeof WAYS)[number];
/** The answer of each way beyond the limit; a way that is not named does not have this limit. */
type Answers = Partial<Record<Way, [status: number, code: string]>>;

const alike = (ways: readonly Way[], status: number, code: string): Answers => Object.fromEntries(ways.map((way) => [way, [status, code]]));

describeOwnServer("a limit holds on every way in:", () => {
  const key = freshKey();
  const vars = { MAX_BODY_BYTES: "4096", MAX_EVENT_BYTES: "2048", MAX_JSON_DEPTH: "8", MAX_BATCH_EVENTS: "3", PRESENCE_MAX_MEMBERS: "1" };
  const server = useOwnServer("limits-matrix", { ...vars, OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(key) });
  const ticket = (aud: string, ch: string, jti: string) => mint(key, { aud, ch, jti, rights: ["read", "publish", "presence", "manage"] });
  const bearer = (ticket: string) => ({ authorization: `Bearer ${ticket}` });

  /** Sends more than the limit and returns the answer; for a frame, the first error. */
  async function sent(way: Way, value: string, name = `room-${randomUUID()}`): Promise<[number, string]> {
    const { url } = server;
    const chat = bearer(ticket("chat", "*", "t"));
    if (way === "publish frame" || way === "presence frame") {
      const socket = await Socket.open(`${url}/chat/${name}`, { ticket: ticket("chat", "*", "t") });
      const [type, member] = way === "publish frame" ? ["publish", "data"] : ["presence", "state"];
      if (socket.raw.readyState === WebSocket.OPEN) socket.send(`{"type":"${type}","id":"a","${member}":${value}}`);
      const { status, code } = await socket.first("error");
      return [status, code];
    }
    const request = {
      post: () => fetch(`${url}/chat/${name}`, { method: "POST", headers: { ...JSON_TYPE, ...chat }, body: value }),
      put: () => fetch(`${url}/v1/stream/${name}`, { method: "PUT", headers: { ...JSON_TYPE, ...bearer(ticket("streams", "*", "t")) }, body: value }),
      presence: () => fetch(`${url}/chat/-/presence/${name}`, { method: "POST", headers: chat, body: `{"id":"a","state":${value}}` }),
      revocation: () => fetch(`${url}/chat/-/revoke/${name}`, { method: "POST", headers: chat, body: `{"ticket":${value}}` }),
    }[way];
    return problem(await request());
  }

  async function problem(answer: Response): Promise<[number, string]> {
    const { type } = (await answer.json()) as { type: string };
    return [answer.status, type.replace("urn:tidewire:", "")];
  }

  test.each<{ what: string; value: string; answers: Answers }>([
    { what: "bytes of a body or a frame", value: `{"a":"${"x".repeat(5_000)}"}`, answers: alike(WAYS, 413, "body-too-large") },
    {
      what: "bytes of an event, a state, an id",
      value: `{"a":"${"x".repeat(2_048)}"}`,
      answers: {
        // An event of `streams` may be as long as a body.
        ...alike(["post", "publish frame"], 413, "event-too-large"),
        ...alike(["presence", "presence frame"], 400, "presence-invalid"),
        revocation: [400, "revocation-invalid"],
      },
    },
    {
      what: "levels of JSON",
      value: `{"a":${"[".repeat(8)}${"]".repeat(8)}}`,
      answers: { ...alike(["post", "put", "publish frame", "presence", "presence frame"], 422, "json-too-deep"), revocation: [400, "revocation-invalid"] },
    },
    { what: "events at once", value: "[1,2,3,4]", answers: alike(["post", "put"], 413, "batch-too-large") },
  ])("$what", async ({ value, answers }) => {
    for (const [way, answer] of Object.entries(answers) as [Way, [number, string]][]) {
      if (way.endsWith("frame") && !offers("websocket")) continue;
      expect(await sent(way, value), way).toEqual(answer);
    }
  });

  test("bytes of a name", async () => {
    const name = "n".repeat(256);
    for (const way of WAYS) {
      if (way.endsWith("frame") && !offers("websocket")) continue;
      expect(await sent(way, "1", name), way).toEqual([400, "channel-name-invalid"]);
    }
    const others: [string, string][] = [
      ["GET", `/chat/${name}`],
      ["HEAD", `/chat/${name}`],
      ["DELETE", `/chat/${name}`],
      ["GET", `/chat/-/presence/${name}`],
      ["GET", `/chat/-/stats/${name}`],
      ["DELETE", `/chat/-/tenant/${name}`],
      ["PUT", `/progress/-/upload/${name}`],
    ];
    for (const [method, path] of others) {
      const answer = await fetch(server.url + path, { method, headers: bearer(ticket("chat", "*", "t")) });
      expect(answer.status, `${method} ${path}`).toBe(400);
      await answer.body?.cancel();
    }
  });

  test("members of a channel", async () => {
    const name = `room-${randomUUID()}`;
    const announce = (id: string) =>
      fetch(`${server.url}/chat/-/presence/${name}`, { method: "POST", headers: bearer(ticket("chat", name, "t")), body: JSON.stringify({ id, state: {} }) });
    expect((await announce("first")).status).toBe(200);
    expect(await problem(await announce("second"))).toEqual([429, "presence-full"]);
    if (offers("websocket")) expect(await sent("presence frame", "{}", name)).toEqual([429, "presence-full"]);
  });

  test("an access that was revoked", async () => {
    const name = `room-${randomUUID()}`;
    const [chat, progress] = [ticket("chat", name, "gone"), ticket("progress", name, "gone")];
    const standing = offers("websocket") ? await Socket.open(`${server.url}/chat/${name}`, { ticket: chat }) : undefined;
    await standing?.first("events");
    for (const [path, claims] of [["chat", "chat"], ["progress", "progress"]] as const) {
      const manager = bearer(ticket(claims, name, "manager"));
      expect((await fetch(`${server.url}/${path}/-/revoke/${name}`, { method: "POST", headers: manager, body: '{"ticket":"gone"}' })).status).toBe(204);
    }
    const text = { type: "message", id: "m", from: { id: "p", name: "Ann", color: "#2f855a" }, text: "a", at: 1 };
    const ways: Record<string, () => Promise<Response>> = {
      read: () => fetch(`${server.url}/chat/${name}`, { headers: bearer(chat) }),
      "event source": () => fetch(`${server.url}/chat/${name}`, { headers: { accept: "text/event-stream", ...bearer(chat) } }),
      "live=sse": () => fetch(`${server.url}/chat/${name}?live=sse&offset=-1`, { headers: bearer(chat) }),
      "long poll": () => fetch(`${server.url}/chat/${name}?live=long-poll&offset=now`, { headers: bearer(chat) }),
      publish: () => fetch(`${server.url}/chat/${name}`, { method: "POST", headers: { ...JSON_TYPE, ...bearer(chat) }, body: JSON.stringify(text) }),
      create: () => fetch(`${server.url}/chat/${name}`, { method: "PUT", headers: { ...JSON_TYPE, ...bearer(chat) } }),
      delete: () => fetch(`${server.url}/chat/${name}`, { method: "DELETE", headers: bearer(chat) }),
      erase: () => fetch(`${server.url}/chat/${name}?offset=-1`, { method: "DELETE", headers: bearer(chat) }),
      "those present": () => fetch(`${server.url}/chat/-/presence/${name}`, { headers: bearer(chat) }),
      presence: () => fetch(`${server.url}/chat/-/presence/${name}`, { method: "POST", headers: bearer(chat), body: '{"id":"a","state":{}}' }),
      revocation: () => fetch(`${server.url}/chat/-/revoke/${name}`, { method: "POST", headers: bearer(chat), body: '{"ticket":"other"}' }),
      stats: () => fetch(`${server.url}/chat/-/stats/${name}`, { headers: bearer(chat) }),
      upload: () => fetch(`${server.url}/progress/-/upload/${name}`, { method: "PUT", headers: bearer(progress), body: "abc" }),
    };
    for (const [way, ask] of Object.entries(ways)) expect(await problem(await ask()), way).toEqual([403, "access-denied"]);
    if (!standing) return;
    expect(await standing.closed()).toBe(3507);
    const again = await Socket.open(`${server.url}/chat/${name}`, { ticket: chat });
    expect(await again.first("error")).toMatchObject({ status: 403, code: "access-denied" });
  });
});

describeOwnServer("the platform's limiter", () => {
  test("refuses a client that sends too many requests, of every kind", { tags: ["durable-objects"] }, async () => {
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
      // A page is not a request to a channel.
      expect((await fetch(`${server.url}/feed/`)).status).toBe(200);
    } finally {
      await server.stop();
    }
  });
});
