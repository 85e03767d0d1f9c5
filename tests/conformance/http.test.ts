// The promises of PROTOCOL.md over HTTP besides reading, publishing and refusing.

import { EventSource } from "eventsource";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { TEMPLATES } from "../harness/job.ts";
import { offers, PLATFORM } from "../harness/platform.ts";
import { sendRaw } from "../harness/raw.ts";
import { read, TRANSPORTS } from "../harness/readers.ts";
import { Socket } from "../harness/socket.ts";
import { ABSENT, describeOwnServer, freshName, header, numbers, publish, publishAll, useOwnServer, useServer } from "../harness/suite.ts";

const server = useServer();
const freshChannel = () => `${server.url}/feed/${freshName()}`;
const freshStream = () => `${server.url}/v1/stream/${freshName()}`;
const JSON_TYPE = { "content-type": "application/json" };
const EVENT_STREAM = { accept: "text/event-stream" };

/** The head of an answer whose body does not end by itself. */
async function peek(url: string, headers: Record<string, string> = {}): Promise<Response> {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  return fetch(url, { headers, signal: abort.signal });
}

async function problem(answer: Response): Promise<Record<string, unknown>> {
  expect(header(answer, "content-type")).toMatch(/^application\/problem\+json/);
  return (await answer.json()) as Record<string, unknown>;
}

describe("a read", () => {
  test("says where to resume and whether that is the tail", async () => {
    const channel = freshChannel();
    const offset = await publishAll(channel, [1, 2]);
    const answer = await fetch(channel);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual([1, 2]);
    expect(header(answer, "stream-next-offset")).toBe(offset);
    expect(header(answer, "stream-up-to-date")).toBe("true");
    expect(header(answer, "content-type")).toBe("application/json");
    expect(answer.headers.has("stream-closed")).toBe(false);
  });

  test("no cache keeps an answer of the gallery's naive room", async () => {
    const room = `${server.url}/-/naive/demo-plug-${freshName().slice(-8)}`;
    const stop = new AbortController();
    const answers = [
      await fetch(room, { method: "POST", body: "1" }),
      await fetch(room, { method: "POST", body: "x".repeat(257) }),
      await fetch(room, { signal: stop.signal }),
    ];
    stop.abort();
    expect(answers.map(({ status }) => status)).toEqual([204, 413, 200]);
    for (const answer of answers) expect([header(answer, "cache-control"), header(answer, "x-content-type-options")]).toEqual(["no-store", "nosniff"]);
  });

  test("comes in pages, each of which names the next", async () => {
    const channel = freshChannel();
    for (const page of numbers(0, 2)) await publishAll(channel, numbers(page * 1000 + 1, page * 1000 + 1000));
    const seen: unknown[] = [];
    let pages = 0;
    for (let offset = "-1", upToDate = false; !upToDate; pages += 1) {
      const answer = await fetch(`${channel}?offset=${offset}`);
      seen.push(...((await answer.json()) as unknown[]));
      offset = header(answer, "stream-next-offset");
      upToDate = answer.headers.get("stream-up-to-date") === "true";
    }
    expect(seen).toEqual(numbers(1, 3000));
    expect(pages).toBeGreaterThan(1);
  });

  test("offsets are opaque but sort as text, are URL-safe and under 128 bytes", async () => {
    const channel = freshChannel();
    const offsets: string[] = [];
    for (const number of numbers(1, 20)) offsets.push(await publish(channel, number));
    expect(offsets).toEqual([...offsets].sort());
    expect(new Set(offsets).size).toBe(20);
    for (const offset of offsets) expect(offset).toMatch(/^[A-Za-z0-9._~-]{1,127}$/);
  });

  test("answers 304 to the ETag of an unchanged page, and 200 once it changed", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    const etag = header(await fetch(channel), "etag");
    const unchanged = await fetch(channel, { headers: { "if-none-match": etag } });
    expect(unchanged.status).toBe(304);
    expect(await unchanged.text()).toBe("");
    expect(header(unchanged, "etag")).toBe(etag);
    await publish(channel, 2);
    const changed = await fetch(channel, { headers: { "if-none-match": etag } });
    expect(changed.status).toBe(200);
    expect(header(changed, "etag")).not.toBe(etag);
  });

  test("by HEAD says where the tail is, is not cached, and has no body", async () => {
    const channel = freshChannel();
    const offset = await publish(channel, 1);
    const answer = await fetch(channel, { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(header(answer, "stream-next-offset")).toBe(offset);
    expect(header(answer, "content-type")).toBe("application/json");
    expect(header(answer, "cache-control")).toContain("no-store");
    expect(await answer.text()).toBe("");
  });

  test("by long poll answers at once when there is something", async () => {
    const channel = freshChannel();
    const offset = await publish(channel, 1);
    const answer = await fetch(`${channel}?offset=-1&live=long-poll`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual([1]);
    expect(header(answer, "stream-next-offset")).toBe(offset);
    expect(answer.headers.has("stream-cursor")).toBe(true);
  });

  test("by long poll is woken by a publish", async () => {
    const channel = freshChannel();
    const offset = await publish(channel, 1);
    const waiting = fetch(`${channel}?offset=${offset}&live=long-poll`);
    const next = await publish(channel, 2);
    const answer = await waiting;
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual([2]);
    expect(header(answer, "stream-next-offset")).toBe(next);
  });

  test("by long poll answers 204 when the time is up", async () => {
    const channel = freshChannel();
    const offset = await publish(channel, 1);
    const answer = await fetch(`${channel}?offset=now&live=long-poll`);
    expect(answer.status).toBe(204);
    expect(header(answer, "stream-next-offset")).toBe(offset);
    expect(header(answer, "stream-up-to-date")).toBe("true");
    expect(answer.headers.has("stream-cursor")).toBe(true);
  });
});

describe("the transport", () => {
  test("Upgrade beats live and Accept", { tags: ["websocket"] }, async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    for (const live of ["sse", "long-poll"]) {
      const socket = await Socket.open(channel, { live, offset: "-1" });
      await socket.hasEvents(1);
    }
  });

  test("Upgrade is answered 501 where no WebSocket can be", { tags: ["websocket-refused"] }, async () => {
    const answer = await sendRaw(server.url, [
      `GET ${new URL(freshChannel()).pathname} HTTP/1.1`,
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]);
    expect(answer.status).toBe(501);
    expect(JSON.parse(answer.body)).toMatchObject({ type: "urn:tidewire:websocket-unsupported", status: 501 });
  });

  test("a page names the transports of its server where those are not all, below any path", async () => {
    for (const path of ["", ...TEMPLATES.map((name) => `${name}/`), "chat/-/inspector"]) {
      const page = await (await fetch(`${server.url}/${path}`)).text();
      const offer = /<head><meta name="tidewire-transports" content="(.*?)">/.exec(page)?.[1];
      expect({ path, offer }).toEqual({ path, offer: offers("websocket") ? undefined : "sse long-poll poll" });
    }
    expect(await (await fetch(`${server.url}/chat/-/room.js`)).text()).not.toMatch(/^<|<meta/);
  });

  test("live beats Accept", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    const poll = await fetch(`${channel}?offset=-1&live=long-poll`, { headers: EVENT_STREAM });
    expect(header(poll, "content-type")).toBe("application/json");
    expect(await poll.json()).toEqual([1]);
    const durable = await peek(`${channel}?offset=-1&live=sse`, EVENT_STREAM);
    for await (const chunk of durable.body!) {
      const text = Buffer.from(chunk).toString();
      if (!text.includes("data:")) continue;
      expect(text).toContain("event: data");
      break;
    }
  });

  test.each(["text/event-stream", "text/html, text/event-stream;q=0.9", "Text/Event-Stream; charset=utf-8"])("Accept: %s is SSE", async (accept) => {
    const answer = await peek(freshChannel(), { accept });
    expect(header(answer, "content-type")).toMatch(/^text\/event-stream/);
    expect(header(answer, "cache-control")).toMatch(/no-cache|no-store/);
  });

  test.each(["*/*", "application/json", "text/*"])("Accept: %s is a plain read", async (accept) => {
    const answer = await fetch(freshChannel(), { headers: { accept } });
    expect(header(answer, "content-type")).toBe("application/json");
  });
});

describe("the start", () => {
  test("Last-Event-ID beats last_event_id, which beats offset", async () => {
    const channel = freshChannel();
    const [one, two, three] = [await publish(channel, 1), await publish(channel, 2), await publish(channel, 3)];
    await publish(channel, 4);
    const page = async (query: string, headers: Record<string, string> = {}) =>
      (await fetch(`${channel}?${query}`, { headers })).json();
    expect(await page("")).toEqual([1, 2, 3, 4]);
    expect(await page(`offset=${one}`)).toEqual([2, 3, 4]);
    expect(await page(`offset=${one}&last_event_id=${two}`)).toEqual([3, 4]);
    expect(await page(`offset=${one}&last_event_id=${two}`, { "last-event-id": three! })).toEqual([4]);
    expect(await page(`last_event_id=${three}`, { "last-event-id": "-1" })).toEqual([1, 2, 3, 4]);
    expect(await page("offset=now")).toEqual([]);
  });

  test("unknown parameters are ignored, also when they stand twice", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    expect(await (await fetch(`${channel}?_pk=1&_pk=2&offset=-1`)).json()).toEqual([1]);
  });
});

describe("a channel that does not exist yet", () => {
  test("reads as an empty page", async () => {
    const channel = freshChannel();
    const answer = await fetch(channel);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual([]);
    expect(header(answer, "stream-next-offset")).toBe(ABSENT);
    expect(header(answer, "stream-up-to-date")).toBe("true");
  });

  test.each(TRANSPORTS)("lets a reader by %s wait for its first event", async (transport) => {
    const channel = freshChannel();
    const reader = read(transport, channel);
    onTestFinished(() => reader.close());
    // Another read still finds nothing: waiting creates nothing.
    expect(header(await fetch(channel), "stream-next-offset")).toBe(ABSENT);
    await publish(channel, "first");
    await eventually("the first event", () => reader.events.length === 1);
    expect(reader.events).toEqual(["first"]);
    expect(reader.gaps).toEqual([]);
  });

  test("is 404 for the raw log, which needs PUT", async () => {
    for (const method of ["GET", "POST", "HEAD", "DELETE"]) {
      const answer = await fetch(freshStream(), { method, ...(method === "POST" ? { headers: JSON_TYPE, body: "1" } : {}) });
      expect(answer.status, method).toBe(404);
      if (method !== "HEAD") expect(await problem(answer), method).toMatchObject({ type: "urn:tidewire:channel-not-found", status: 404 });
    }
  });
});

describe("a finished channel", () => {
  /** 1 and 2, then the end. */
  async function finished(): Promise<{ channel: string; offset: string }> {
    const channel = freshChannel();
    await publish(channel, 1);
    const answer = await fetch(channel, { method: "POST", headers: { ...JSON_TYPE, "stream-closed": "true" }, body: "2" });
    expect(answer.status).toBe(204);
    expect(header(answer, "stream-closed")).toBe("true");
    return { channel, offset: header(answer, "stream-next-offset") };
  }

  test("says so at its end", async () => {
    const { channel, offset } = await finished();
    const answer = await fetch(channel);
    expect(await answer.json()).toEqual([1, 2]);
    expect(header(answer, "stream-closed")).toBe("true");
    expect(header(answer, "stream-next-offset")).toBe(offset);
  });

  test("refuses further events, but may be closed again", async () => {
    const { channel } = await finished();
    const answer = await fetch(channel, { method: "POST", headers: JSON_TYPE, body: "3" });
    expect(answer.status).toBe(409);
    expect(await problem(answer)).toMatchObject({ type: "urn:tidewire:channel-closed" });
    const again = await fetch(channel, { method: "POST", headers: { "stream-closed": "true" } });
    expect(again.status).toBe(204);
    expect(await (await fetch(channel)).json()).toEqual([1, 2]);
  });

  test.each(TRANSPORTS)("ends a reader by %s that waits, after its last event", async (transport) => {
    const channel = freshChannel();
    await publish(channel, 1);
    const reader = read(transport, channel);
    onTestFinished(() => reader.close());
    await eventually("the reader is live", () => reader.events.length === 1);
    await fetch(channel, { method: "POST", headers: { ...JSON_TYPE, "stream-closed": "true" }, body: "2" });
    expect(await reader.ended).toBe("finished");
    expect(reader.events).toEqual([1, 2]);
  });

  test.each(TRANSPORTS)("ends a reader by %s that comes late, after all its events", async (transport) => {
    const { channel } = await finished();
    const reader = read(transport, channel);
    expect(await reader.ended).toBe("finished");
    expect(reader.events).toEqual([1, 2]);
  });

  test("closed without a last event ends its readers too", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    const readers = TRANSPORTS.map((transport) => read(transport, channel));
    for (const { events } of readers) await eventually("the readers are live", () => events.length === 1);
    expect((await fetch(channel, { method: "POST", headers: { "stream-closed": "true" } })).status).toBe(204);
    expect(await Promise.all(readers.map(({ ended }) => ended))).toEqual(readers.map(() => "finished"));
  });

  test("answers 204 at its end, which stops an EventSource", async () => {
    const { channel, offset } = await finished();
    expect((await fetch(`${channel}?offset=${offset}`, { headers: EVENT_STREAM })).status).toBe(204);
    expect((await fetch(`${channel}?offset=${offset}&live=long-poll`)).status).toBe(204);
    const source = new EventSource(channel);
    onTestFinished(() => source.close());
    const seen: string[] = [];
    source.addEventListener("message", ({ data }) => seen.push(data as string));
    await eventually("the EventSource stops by itself", () => source.readyState === source.CLOSED);
    expect(seen).toEqual(["1", "2"]);
  });

  test("sends a closed frame with its end, then close code 1000", { tags: ["websocket"] }, async () => {
    const { channel, offset } = await finished();
    const socket = await Socket.open(channel);
    expect(await socket.first("closed")).toEqual({ type: "closed", offset });
    expect(await socket.closed()).toBe(1000);
    expect(socket.events).toEqual([1, 2]);
  });
});

describe("the raw log", () => {
  test("is created by PUT, again without change, and not otherwise", async () => {
    const stream = freshStream();
    const put = (type: string) => fetch(stream, { method: "PUT", headers: { "content-type": type } });
    expect((await put("text/plain")).status).toBe(201);
    expect((await put("text/plain")).status).toBe(200);
    const other = await put("application/json");
    expect(other.status).toBe(409);
    expect(await problem(other)).toMatchObject({ type: "urn:tidewire:configuration-mismatch" });
  });

  test("has names of several segments", async () => {
    const stream = `${freshStream()}/deep/er`;
    await fetch(stream, { method: "PUT", headers: { "content-type": "text/plain" }, body: "a" });
    await fetch(stream, { method: "POST", headers: { "content-type": "text/plain" }, body: "b" });
    expect(await (await fetch(stream)).text()).toBe("ab");
  });

  test("refuses a Stream-Seq that does not rise", async () => {
    const stream = freshStream();
    await fetch(stream, { method: "PUT", headers: { "content-type": "text/plain" } });
    const append = (seq: string) =>
      fetch(stream, { method: "POST", headers: { "content-type": "text/plain", "stream-seq": seq }, body: seq });
    expect((await append("b")).status).toBe(204);
    for (const seq of ["b", "a"]) {
      const answer = await append(seq);
      expect(answer.status).toBe(409);
      expect(await problem(answer)).toMatchObject({ type: "urn:tidewire:sequence-not-rising" });
    }
    expect(await (await fetch(stream)).text()).toBe("b");
  });

  test.each(["stream-forked-from", "stream-fork-offset", "stream-fork-sub-offset"])("answers 501 to PUT with %s, which it does not have", async (name) => {
    const answer = await fetch(freshStream(), { method: "PUT", headers: { "content-type": "text/plain", [name]: "/v1/stream/other" }, body: "a" });
    expect(answer.status).toBe(501);
    expect(await problem(answer)).toMatchObject({ type: "urn:tidewire:not-supported", status: 501 });
  });

  test("is deleted by DELETE", async () => {
    const stream = freshStream();
    await fetch(stream, { method: "PUT", headers: { "content-type": "text/plain" }, body: "a" });
    expect((await fetch(stream, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(stream)).status).toBe(404);
  });
});

describe("every answer", () => {
  test("is nosniff, runs nothing, is readable from other origins, and in no shared cache", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    const stream = freshStream();
    const TEXT = { "content-type": "text/plain" };
    const etag = header(await fetch(channel), "etag");
    const answers = {
      read: await fetch(channel),
      "a page that did not change": await fetch(channel, { headers: { "if-none-match": etag } }),
      head: await fetch(channel, { method: "HEAD" }),
      publish: await fetch(channel, { method: "POST", headers: JSON_TYPE, body: "2" }),
      "event source": await peek(channel, EVENT_STREAM),
      "live=sse": await peek(`${channel}?offset=-1&live=sse`),
      "long poll": await fetch(`${channel}?offset=-1&live=long-poll`),
      "long poll without news": await fetch(`${channel}?offset=now&live=long-poll`),
      "bad offset": await fetch(`${channel}?offset=abc`),
      "bad name": await fetch(`${server.url}/feed/a%20b`),
      "no such stream": await fetch(freshStream()),
      "no such address": await fetch(`${server.url}/nothing`),
      "bad method": await fetch(channel, { method: "PATCH" }),
      preflight: await fetch(channel, { method: "OPTIONS" }),
      "raw log": await fetch(stream, { method: "PUT", headers: TEXT }),
      "raw log again": await fetch(stream, { method: "PUT", headers: TEXT }),
      "other configuration": await fetch(stream, { method: "PUT", headers: { ...TEXT, "stream-ttl": "60" } }),
      fork: await fetch(freshStream(), { method: "PUT", headers: { ...TEXT, "stream-forked-from": "/x" } }),
      end: await fetch(stream, { method: "POST", headers: { "stream-closed": "true" } }),
      "event source after the end": await fetch(`${stream}?offset=now`, { headers: EVENT_STREAM }),
      "long poll after the end": await fetch(`${stream}?offset=now&live=long-poll`),
      deletion: await fetch(stream, { method: "DELETE" }),
      "no slash": await fetch(`${server.url}/feed`, { redirect: "manual" }),
      "those present": await fetch(`${server.url}/chat/-/presence/${freshName()}`),
      "a presence that is none": await fetch(`${server.url}/chat/-/presence/${freshName()}`, { method: "POST", body: "?" }),
      stats: await fetch(`${server.url}/feed/-/stats/${new URL(channel).pathname.split("/").at(-1)}`),
      "a revocation that is none": await fetch(`${server.url}/feed/-/revoke/${freshName()}`, { method: "POST", body: "?" }),
      "a tenant that is none": await fetch(`${server.url}/feed/-/tenant/`, { method: "DELETE" }),
      upload: await fetch(`${server.url}/progress/-/upload/${freshName()}`, { method: "PUT", body: "abc" }),
      "a board": await fetch(`${server.url}/status/${freshName()}`),
    };
    expect(answers["a page that did not change"].status).toBe(304);
    expect(answers["event source after the end"].status).toBe(204);
    for (const [what, answer] of Object.entries(answers)) {
      expect(answer.headers.get("x-content-type-options"), what).toBe("nosniff");
      expect(answer.headers.get("access-control-allow-origin"), what).toBe("*");
      expect(answer.headers.get("cross-origin-resource-policy"), what).toBe("cross-origin");
      expect(answer.headers.get("content-security-policy"), what).toBe("sandbox; default-src 'none'");
      // Caches in front know an answer by its address, whatever the method and the status.
      expect(answer.headers.get("cache-control"), what).toMatch(/^(private, no-cache, no-transform|no-store)$/);
    }
    const exposed = header(answers.read, "access-control-expose-headers").toLowerCase();
    for (const name of ["stream-next-offset", "stream-up-to-date", "stream-closed", "stream-cursor", "stream-ttl", "stream-expires-at", "producer-epoch", "retry-after", "etag"]) {
      expect(exposed).toContain(name);
    }
  });

  test("to a preflight names the methods and headers that clients use", async () => {
    for (const url of [freshChannel(), freshStream()]) {
      const answer = await fetch(url, {
        method: "OPTIONS",
        headers: { origin: "https://app.example", "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
      });
      expect(answer.status).toBe(204);
      expect(header(answer, "access-control-allow-origin")).toBe("*");
      const methods = header(answer, "access-control-allow-methods");
      for (const method of ["GET", "POST", "PUT", "DELETE", "HEAD"]) expect(methods).toContain(method);
      const headers = header(answer, "access-control-allow-headers").toLowerCase();
      for (const name of ["authorization", "content-type", "last-event-id", "if-none-match", "stream-closed", "stream-seq", "stream-ttl", "stream-expires-at", "producer-id", "producer-epoch", "producer-seq"]) expect(headers).toContain(name);
      // The headers that tracing adds to every request of a page: if the server refused them, the page would lose all its requests.
      for (const name of ["traceparent", "tracestate", "baggage", "sentry-trace", "x-requested-with"]) expect(headers.split(/, ?/)).toContain(name);
    }
  });
});

describe("the pages", () => {
  test.each([
    ["/", "text/html"],
    ["/feed/", "text/html"],
    ["/feed/-/feed.js", "text/javascript"],
    ["/feed/-/feed.css", "text/css"],
  ])("%s is %s", async (path, type) => {
    const answer = await fetch(`${server.url}${path}`);
    expect(answer.status).toBe(200);
    expect(header(answer, "content-type")).toContain(type);
    expect(header(answer, "x-content-type-options")).toBe("nosniff");
    expect(header(answer, "content-security-policy")).toContain("script-src 'self'");
    expect(header(answer, "cache-control")).toBe("public, no-cache");
    expect((await answer.text()).length).toBeGreaterThan(100);
  });

  test("/feed leads to /feed/, where its relative links work", async () => {
    const answer = await fetch(`${server.url}/feed`, { redirect: "manual" });
    expect(answer.status).toBeGreaterThanOrEqual(301);
    expect(answer.status).toBeLessThanOrEqual(308);
    expect(new URL(header(answer, "location"), `${server.url}/feed`).pathname).toBe("/feed/");
  });

  test("the way to the slash keeps the query", async () => {
    const answer = await fetch(`${server.url}/chat?room=x%20y&a`, { redirect: "manual" });
    const { pathname, search } = new URL(header(answer, "location"), `${server.url}/chat`);
    expect([pathname, search]).toEqual(["/chat/", "?room=x%20y&a"]);
  });
});

describe("the methods of an address", () => {
  const room = freshName();
  test.each([
    ["a channel", `/chat/${room}`, "GET, HEAD, POST, PUT, DELETE, OPTIONS"],
    ["those present", `/chat/-/presence/${room}`, "GET, HEAD, POST, OPTIONS"],
    ["revocations", `/chat/-/revoke/${room}`, "POST, OPTIONS"],
    ["stats", `/chat/-/stats/${room}`, "GET, HEAD, OPTIONS"],
    ["a tenant", "/chat/-/tenant/team", "DELETE, OPTIONS"],
    ["a page", "/chat/", "GET, HEAD, OPTIONS"],
    ["an upload", `/progress/-/upload/${room}`, "PUT, OPTIONS"],
  ])("%s lists exactly those that it takes", async (_, path, allow) => {
    expect(header(await fetch(`${server.url}${path}`, { method: "OPTIONS" }), "allow")).toBe(allow);
    const taken = allow.split(", ");
    for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"].filter((method) => !taken.includes(method))) {
      const answer = await fetch(`${server.url}${path}`, { method, headers: JSON_TYPE, ...(method !== "GET" && { body: "1" }) });
      expect([answer.status, header(answer, "allow")], method).toEqual([405, allow]);
      await answer.text();
    }
  });

  test.each(["chat/-/presence", "feed/-/stats"])("HEAD of %s is GET without the body", async (path) => {
    const name = freshName();
    await publish(`${server.url}/feed/${name}`, 1);
    const [get, head] = await Promise.all(["GET", "HEAD"].map((method) => sendRaw(server.url, [`${method} /${path}/${name} HTTP/1.1`])));
    expect([head!.status, get!.status]).toEqual([200, 200]);
    for (const field of ["content-type", "cache-control"]) expect(head!.headers.get(field)).toBe(get!.headers.get(field));
    expect(get!.body).not.toBe("");
    expect(head!.body).toBe("");
  });
});

describe("a header", () => {
  const put = (name: string, headers: string[]) => sendRaw(server.url, [`PUT /v1/stream/${name} HTTP/1.1`, ...headers, "Content-Length: 0"]);
  const post = (name: string, headers: string[], body: string) =>
    sendRaw(server.url, [`POST /v1/stream/${name} HTTP/1.1`, "Content-Type: application/json", ...headers, `Content-Length: ${body.length}`], body);
  const sent = async (name: string) => (await fetch(`${server.url}/v1/stream/${name}`)).json();

  test("with bytes outside ASCII names no producer and no sequence", async () => {
    const name = freshName();
    expect((await put(name, ["Content-Type: application/json"])).status).toBe(201);
    // One byte each, as `fetch` sends them, and the same in UTF-8.
    for (const id of ["Zo\xeb", "Zo\xe9", "Zo\xc3\xab", "a b", "a\tb"]) {
      const producer = [`Producer-Id: ${id}`, "Producer-Epoch: 0", "Producer-Seq: 0"];
      // Spin itself refuses what is not UTF-8, before any component sees it.
      const status = PLATFORM === "spin" && Buffer.from(id, "latin1").toString().includes("\ufffd") ? 500 : 400;
      expect((await post(name, producer, "1")).status, id).toBe(status);
      expect((await post(name, [`Stream-Seq: ${id}`], "1")).status, id).toBe(status);
      const erased = await sendRaw(server.url, [`DELETE /chat/${name}?offset=-1 HTTP/1.1`, `Producer-Id: ${id}`]);
      expect(erased.status, id).toBe(status);
    }
    expect(await sent(name)).toEqual([]);
  });

  test("that came twice is one list, which is not an id, not a type and not a number", async () => {
    const name = freshName();
    const twice = (field: string, value: string) => [`${field}: ${value}`, `${field}: ${value}`];
    expect((await put(name, twice("Content-Type", "text/plain"))).status).toBe(400);
    expect((await put(name, ["Content-Type: application/json", ...twice("Stream-TTL", "60")])).status).toBe(400);
    expect((await put(name, ["Content-Type: application/json"])).status).toBe(201);
    expect((await post(name, [...twice("Producer-Id", "p"), "Producer-Epoch: 0", "Producer-Seq: 0"], "1")).status).toBe(400);
    expect((await post(name, ["Producer-Id: p", "Producer-Epoch: 0", ...twice("Producer-Seq", "0")], "1")).status).toBe(400);
    expect((await post(name, twice("Stream-Seq", "1"), "1")).status).toBe(400);
    expect(await sent(name)).toEqual([]);
    expect((await post(name, twice("Stream-Closed", "true"), "1")).headers.get("stream-closed")).toBe("true");
    const tag = header(await fetch(`${server.url}/v1/stream/${name}`), "etag");
    const seen = await sendRaw(server.url, [`GET /v1/stream/${name} HTTP/1.1`, 'If-None-Match: "a"', `If-None-Match: ${tag}`]);
    expect(seen.status).toBe(304);
    const other = await sendRaw(server.url, [`GET /v1/stream/${name} HTTP/1.1`, "Accept: application/json", "Accept: text/event-stream;q=0"]);
    expect([other.status, other.headers.get("content-type")]).toEqual([200, "application/json"]);
  });

  test("with an empty type counts as a request without a type", async () => {
    const name = freshName();
    const made = await put(name, ["Content-Type:"]);
    expect([made.status, made.headers.get("content-type")]).toEqual([201, "application/octet-stream"]);
    const answer = await sendRaw(server.url, [`POST /v1/stream/${name} HTTP/1.1`, "Content-Type: ", "Content-Length: 1"], "1");
    expect([answer.status, answer.body]).toEqual([400, expect.stringContaining("content-type-missing")]);
  });

  test.each(["presence", "revoke"])("Content-Encoding is refused beside a channel: %s", async (what) => {
    const answer = await fetch(`${server.url}/chat/-/${what}/${freshName()}`, { method: "POST", headers: { "content-encoding": "gzip" }, body: "{}" });
    expect([answer.status, header(answer, "accept-encoding")]).toEqual([415, "identity"]);
  });
});

describeOwnServer("without open access", () => {
  const closed = useOwnServer("http-closed", { OPEN_ACCESS: "false" });

  test("channels are closed to reading and publishing", async () => {
    for (const url of [`${closed.url}/feed/private`, `${closed.url}/v1/stream/private`]) {
      const answers = {
        read: await fetch(url),
        "event source": await fetch(url, { headers: EVENT_STREAM }),
        "long poll": await fetch(`${url}?offset=-1&live=long-poll`),
        publish: await fetch(url, { method: "POST", headers: JSON_TYPE, body: "1" }),
        create: await fetch(url, { method: "PUT", headers: JSON_TYPE }),
        delete: await fetch(url, { method: "DELETE" }),
      };
      for (const [what, answer] of Object.entries(answers)) {
        expect(answer.status, what).toBe(401);
        expect(await problem(answer), what).toMatchObject({ type: "urn:tidewire:credential-missing", status: 401 });
      }
    }
  });

  test("a WebSocket gets the error and is closed with 3507", { tags: ["websocket"] }, async () => {
    const socket = await Socket.open(`${closed.url}/feed/private`);
    expect(await socket.first("error")).toMatchObject({ code: "credential-missing", status: 401 });
    expect(await socket.closed()).toBe(3507);
  });

  test("channels of the demo are open", async () => {
    const channel = `${closed.url}/feed/${freshName()}`;
    await publish(channel, 1);
    expect(await (await fetch(channel)).json()).toEqual([1]);
  });
});

test("a client that sends the platform's own headers changes nothing", async () => {
  const stream = freshStream();
  const forged = { "spin-full-url": "http://forged.example/v1/stream/other", "spin-matched-route": "/forged/...", "spin-base-path": "/forged" };
  const made = await fetch(stream, { method: "PUT", headers: { ...JSON_TYPE, ...forged } });
  expect(made.status).toBe(201);
  expect(new URL(header(made, "location"), stream).href).toBe(stream);
  expect((await fetch(stream, { headers: forged })).status).toBe(200);
});
