// The client and time: a fake clock, and silent connections.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Backoff } from "../../shared/client/src/backoff.ts";
import { subscribe, type TidewireError } from "../../shared/client/src/index.ts";
import { Ladder } from "../../shared/client/src/ladder.ts";
import { wait } from "../../shared/client/src/wait.ts";
import { FakeSocket } from "./fake-socket.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the span of waits doubles from 250 ms to 30 s, and the wait is anywhere in it", () => {
  const longest = new Backoff({}, () => 1);
  expect(Array.from({ length: 9 }, () => longest.next())).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect(new Backoff({}, () => 0).next()).toBe(0);
  expect(new Backoff({}, () => 0.5).next()).toBe(125);
});

test("a wait is never shorter than the server asks", () => {
  const backoff = new Backoff({}, () => 1);
  expect(backoff.next(0, 5_000)).toBe(5_000);
  expect(backoff.next(0, 100)).toBe(500);
});

test("a long connection resets the count, a short connection does not", () => {
  const backoff = new Backoff({}, () => 1);
  expect([backoff.next(), backoff.next(4_999), backoff.next(5_000), backoff.next()]).toEqual([250, 500, 250, 500]);
});

test("a count of a thousand failures is still a wait", () => {
  const backoff = new Backoff({}, () => 1);
  for (let failure = 0; failure < 2_000; failure += 1) backoff.next();
  expect(backoff.next()).toBe(30_000);
});

test("a wait ends with its time, with its signal, and in a browser when the network or the page is back", async () => {
  const page = Object.assign(new EventTarget(), { visibilityState: "hidden" });
  const browser = new EventTarget();
  vi.stubGlobal("document", page);
  vi.stubGlobal("addEventListener", browser.addEventListener.bind(browser));
  const { signal } = new AbortController();
  const done = vi.fn();

  void wait(1_000, signal).then(done);
  await vi.advanceTimersByTimeAsync(999);
  expect(done).toHaveBeenCalledTimes(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toHaveBeenCalledTimes(1);

  const abort = new AbortController();
  void wait(1_000, abort.signal).then(done);
  abort.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(done).toHaveBeenCalledTimes(2);

  void wait(1_000, signal, true).then(done);
  page.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(0);
  expect(done, "a page that was hidden").toHaveBeenCalledTimes(2);
  page.visibilityState = "visible";
  page.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(0);
  expect(done).toHaveBeenCalledTimes(3);

  void wait(1_000, signal, true).then(done);
  browser.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(0);
  expect(done).toHaveBeenCalledTimes(4);
});

test("a transport that never worked is left at its first failure, one that did at its third in a row", () => {
  const ladder = new Ladder(["websocket", "sse", "poll"]);
  expect(ladder.ended(0, 0)).toBe(true);
  ladder.opened(0);
  expect(ladder.transport).toBe("sse");
  expect([ladder.ended(10, 0), ladder.ended(10, 0)]).toEqual([false, false]);
  expect(ladder.ended(10, 1), "an event is a sign of health").toBe(false);
  expect([ladder.ended(10, 0), ladder.ended(0, 0), ladder.ended(0, 0)]).toEqual([false, false, true]);
  expect(ladder.transport).toBe("poll");
});

test("when none gets through the next round starts at the transport that worked last", () => {
  const ladder = new Ladder(["websocket", "sse"]);
  ladder.opened(0);
  for (let failure = 1; failure <= 2; failure += 1) expect(ladder.ended(0, 0)).toBe(false);
  expect(ladder.ended(0, 0)).toBe(true);
  expect(ladder.ended(0, 0)).toBe(false);
  expect(ladder.transport).toBe("websocket");
});

test("a better transport gets another chance after five minutes", () => {
  const ladder = new Ladder(["websocket", "sse"]);
  ladder.ended(0, 0);
  ladder.opened(1_000);
  expect([ladder.mayClimb(300_999), ladder.mayClimb(301_000)]).toEqual([false, true]);
  ladder.climb();
  expect(ladder.transport).toBe("websocket");
});

test("a WebSocket is asked after 25 s of silence and given up 10 s later", async () => {
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
  const errors: TidewireError[] = [];
  const subscription = subscribe("http://channel.test/x", { transports: ["websocket"], onError: (error) => errors.push(error) });
  await vi.advanceTimersByTimeAsync(0);
  const socket = FakeSocket.all[0]!;
  socket.say({ type: "hello", offset: "-1" });
  await vi.advanceTimersByTimeAsync(25_000);
  expect(socket.sent).toEqual(["ping"]);
  await vi.advanceTimersByTimeAsync(9_999);
  socket.onmessage!({ data: "pong" });
  await vi.advanceTimersByTimeAsync(25_000);
  expect(socket).toMatchObject({ sent: ["ping", "ping"], isClosed: false });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(socket.isClosed).toBe(true);
  expect(errors).toMatchObject([{ code: "connection-lost", retryable: true }]);
  await vi.advanceTimersByTimeAsync(250);
  expect(FakeSocket.all).toHaveLength(2);
  subscription.close();
});

test("an SSE stream is given up after 45 s of silence, and a heartbeat breaks it", async () => {
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  let streams = 0;
  vi.stubGlobal("fetch", async (_: URL, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) => {
    if (!headers.accept) return new Response("[]", { headers: { "content-type": "application/json", "stream-next-offset": "-1" } });
    streams += 1;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (stream = controller) });
    const own = stream;
    signal.addEventListener("abort", () => own?.error(signal.reason));
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const errors: TidewireError[] = [];
  const subscription = subscribe("http://channel.test/x", { transports: ["sse"], onError: (error) => errors.push(error) });
  await vi.advanceTimersByTimeAsync(0);
  const beat = () => stream!.enqueue(new TextEncoder().encode(":\n\n"));
  beat();
  await vi.advanceTimersByTimeAsync(44_999);
  beat();
  await vi.advanceTimersByTimeAsync(44_999);
  expect(errors).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(errors).toMatchObject([{ code: "timeout", retryable: true }]);
  await vi.advanceTimersByTimeAsync(250);
  expect(streams).toBe(2);
  subscription.close();
});

test("Retry-After is the floor of the next attempt, in seconds or as a date", async () => {
  const asked: number[] = [];
  const answers = ["7", new Date(Date.now() + 20_000).toUTCString()];
  vi.stubGlobal("fetch", async () => {
    asked.push(Date.now());
    return new Response("", { status: 503, headers: { "retry-after": answers[asked.length - 1] ?? "3600" } });
  });
  const subscription = subscribe("http://channel.test/x", { transports: ["sse", "poll"], backoff: { baseMs: 0 } });
  await vi.advanceTimersByTimeAsync(21_000);
  expect(asked).toHaveLength(3);
  expect(asked[1]! - asked[0]!).toBe(7_000);
  // A date has no fractions of a second.
  expect(asked[2]! - asked[0]!).toBeGreaterThan(18_999);
  subscription.close();
});
