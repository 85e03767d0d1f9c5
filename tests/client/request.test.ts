// The requests of a page beside its subscription: a request of its own, a frame of its own, a ticket of its backend.

import { afterEach, expect, test, vi } from "vitest";
import { publish, request, subscribe, ticketFrom } from "../../shared/client/src/index.ts";
import { eventually } from "../harness/eventually.ts";
import { FakeSocket } from "./fake-socket.ts";
import { serve } from "./middlebox.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a request answers a success and a 304, and throws what is refused", async () => {
  const base = await serve((asked, answer) => {
    if (asked.headers["if-none-match"]) answer.writeHead(304, { etag: "e" }).end();
    else if (asked.method === "POST") answer.writeHead(204, { "stream-next-offset": "7" }).end();
    else answer.writeHead(403, { "content-type": "application/problem+json" }).end(JSON.stringify({ type: "urn:tidewire:access-denied", title: "no", detail: "not for you" }));
  });
  const posted = await request(`${base}/x`, { method: "POST", body: "1" });
  expect([posted.status, posted.headers.get("stream-next-offset"), await posted.text()]).toEqual([204, "7", ""]);
  const known = await request(`${base}/x`, { headers: { "if-none-match": "e" } });
  expect([known.status, known.headers.get("etag")]).toEqual([304, "e"]);
  await expect(request(`${base}/x`)).rejects.toMatchObject({ code: "access-denied", status: 403, detail: "not for you", retryable: false });
  await expect(request("http://127.0.0.1:1/x")).rejects.toMatchObject({ code: "connection-lost", retryable: true });
  await expect(request(`${base}/x`, { signal: AbortSignal.abort("mine") })).rejects.toBe("mine");
});

/** Answers each request with a body that the test writes. */
function answerByHand(): { answers: number; say: (text: string, isEnd?: boolean) => void } {
  const hand = { answers: 0, say: (_text: string, _isEnd?: boolean) => {} };
  vi.stubGlobal("fetch", async (_url: URL, init: RequestInit) => {
    hand.answers += 1;
    const body = new ReadableStream({
      start(stream) {
        init.signal!.addEventListener("abort", () => stream.error(init.signal!.reason));
        hand.say = (text, isEnd) => {
          stream.enqueue(new TextEncoder().encode(text));
          if (isEnd) stream.close();
        };
      },
    });
    return new Response(body, { headers: { "content-type": "application/json", "stream-next-offset": "7", "stream-up-to-date": "true" } });
  });
  return hand;
}

test("a slow body is read, and a stalled body is given up", async () => {
  vi.useFakeTimers();
  const hand = answerByHand();
  const slow = request("http://channel.test/x").then((answer) => answer.json());
  for (const [piece, isEnd] of [["[1", false], [",", false], ["2]", true]] as const) {
    await vi.advanceTimersByTimeAsync(8_000);
    hand.say(piece, isEnd);
  }
  expect(await slow).toEqual([1, 2]);
  const still = expect(request("http://channel.test/x")).rejects.toMatchObject({ code: "timeout" });
  await vi.advanceTimersByTimeAsync(9_000);
  hand.say("[");
  await vi.advanceTimersByTimeAsync(10_001);
  await still;
});

test("a page of a poll that comes slowly is taken", async () => {
  vi.useFakeTimers();
  const hand = answerByHand();
  const got: unknown[] = [];
  const subscription = subscribe("http://channel.test/x", { transports: ["poll"], onEvent: ({ data }) => got.push(data) });
  for (const [piece, isEnd] of [["[1", false], [",", false], ["2]", true]] as const) {
    await vi.advanceTimersByTimeAsync(8_000);
    hand.say(piece, isEnd);
  }
  await vi.advanceTimersByTimeAsync(0);
  expect([got, hand.answers]).toEqual([[1, 2], 1]);
  subscription.close();
});

test("a frame is sent while a WebSocket is open, and not before or after", async () => {
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
  const subscription = subscribe("http://channel.test/x", { transports: ["websocket"] });
  const frame = { type: "presence", id: "a", state: { name: "Ann" } } as const;
  await eventually("a connection", () => FakeSocket.all.length === 1);
  expect(subscription.send(frame)).toBe(false);
  FakeSocket.all[0]!.say({ type: "hello", offset: "-1" });
  expect(subscription.send(frame)).toBe(true);
  expect(subscription.send("ping")).toBe(true);
  expect(FakeSocket.all[0]!.sent).toEqual([JSON.stringify(frame), "ping"]);
  subscription.close();
  expect(subscription.send(frame)).toBe(false);
});

test("a frame that was refused does not end the reading, now or later", async () => {
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
  const subscription = subscribe("http://channel.test/x", { transports: ["websocket"], backoff: { baseMs: 0 } });
  await eventually("a connection", () => FakeSocket.all.length === 1);
  const [first] = FakeSocket.all;
  first!.say({ type: "hello", offset: "-1" });
  first!.say({ type: "error", code: "access-denied", status: 403, detail: "you may not be present" });
  first!.say({ type: "close", code: 3005, reason: "credential-expired" });
  await eventually("another connection", () => FakeSocket.all.length === 2);
  // Before `hello`, it is why the connection is refused.
  FakeSocket.all[1]!.say({ type: "error", code: "access-denied", status: 403, detail: "you may not read" });
  FakeSocket.all[1]!.say({ type: "close", code: 3507, reason: "access-denied" });
  await expect(subscription[Symbol.asyncIterator]().next()).rejects.toMatchObject({ detail: "you may not read" });
});

test("a connection that died while the machine slept is replaced when it wakes", async () => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
  const woken = new EventTarget();
  vi.stubGlobal("addEventListener", woken.addEventListener.bind(woken));
  const subscription = subscribe("http://channel.test/x", { transports: ["websocket"], backoff: { baseMs: 0 } });
  await vi.advanceTimersByTimeAsync(0);
  const [first] = FakeSocket.all;
  first!.say({ type: "hello", offset: "-1" });
  const sleep = (ms: number) => {
    // Timers stop in the meantime.
    vi.setSystemTime(Date.now() + ms);
    woken.dispatchEvent(new Event("online"));
  };
  sleep(20_000);
  expect(first!.sent, "it is trusted for so long").toEqual([]);
  sleep(10_000);
  expect(first!.sent).toEqual(["ping"]);
  sleep(60_000);
  expect(first!.isClosed).toBe(true);
  await vi.advanceTimersByTimeAsync(0);
  expect(FakeSocket.all).toHaveLength(2);
  subscription.close();
});

test("a ticket of the backend is requested once, and again when it was refused", async () => {
  let logins = 0;
  let isLoggedIn = true;
  const seen: (string | undefined)[] = [];
  const base = await serve((asked, answer) => {
    if (asked.url === "/login") {
      logins += 1;
      return void answer.writeHead(isLoggedIn ? 200 : 401).end(isLoggedIn ? `t${logins}\n` : "");
    }
    seen.push(asked.headers.authorization);
    const isGood = asked.headers.authorization === `Bearer t${logins}`;
    answer.writeHead(isGood ? 204 : 401, { "stream-next-offset": "7" }).end();
  });
  const access = ticketFrom(`${base}/login`);
  for (let count = 0; count < 2; count++) await publish(`${base}/x`, count, access);
  expect([logins, seen]).toEqual([1, ["Bearer t1", "Bearer t1"]]);
  logins = 5;
  await request(`${base}/x`, {}, access);
  expect(seen.slice(2)).toEqual(["Bearer t1", "Bearer t6"]);
  await Promise.all([1, 2, 3].map(() => access.ticket!(true)));
  expect(logins, "one request for all that wait").toBe(7);
  isLoggedIn = false;
  logins = 9;
  await expect(request(`${base}/x`, {}, access)).rejects.toMatchObject({ status: 401, retryable: false });
});

test("a backend that sets a cookie answers nothing, and nothing is sent of it", async () => {
  const seen: (string | undefined)[] = [];
  const base = await serve((asked, answer) => {
    if (asked.url !== "/login") seen.push(asked.headers.authorization);
    answer.writeHead(204, { "stream-next-offset": "7" }).end();
  });
  await request(`${base}/x`, {}, ticketFrom(`${base}/login`));
  await request(`${base}/x`, {}, ticketFrom());
  expect(seen).toEqual([undefined, undefined]);
});
