// Every wait of the client has a limit and hears its signal: hooks that never settle, servers that say nothing, turns that do not come.

import { getEventListeners } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { publish, publisher, subscribe, type PublishOptions, type SubscribeOptions, type TidewireError } from "../../shared/client/src/index.ts";
import { FakeSocket } from "./fake-socket.ts";

const SOURCES = new URL("../../shared/client/src/", import.meta.url);
const CHANNEL = "http://channel.test/x";
const HOUR_MS = 3_600_000;
const YEAR_S = "31536000";

/** The waits in the sources. A new kind of wait belongs into the tables below. */
const AWAITED: Record<string, string> = {
  "within(": "has its limit in the call",
  "ask(": "a hook: within the limit of its request",
  "unlessAborted(": "what hears a signal of which it knows nothing",
  "exchange(": "within",
  "fetch(": "a hook: within the limit of its request",
  "reader.get(": "within",
  "takePage(": "within",
  "takeTail(": "within",
  "next(": "takePage",
  "readPage(": "within",
  "errorFrom(": "within",
  "answer.text()": "within: the body of a fetch",
  "answer.json()": "within: the body of a fetch",
  "answer.arrayBuffer()": "within: the body of a fetch",
  "answer.blob()": "within: the body of a fetch",
  "body.read()": "under a watchdog",
  "open(": "under a watchdog, or within and a socket's own limits",
  "send(": "request",
  "use(": "within",
  "READ[": "the transport's own waits",
  "wait(": "a time, and hears its signal",
  "Promise.resolve()": "a turn",
  "reader.sink.room()": "the application: until it takes events, or closes",
  "this.#queue.room()": "the application: until it takes events, or closes",
  "this.#queue.next()": "the iteration's own wait for an event, until the end",
  "this.#change()": "room and next",
};

const never = () => new Promise<never>(() => {});

type Answer = (asked: { headers: Record<string, string>; method?: string; url: URL; signal: AbortSignal }) => Response | Promise<Response>;

/** A server that says nothing. */
const silence: Answer = ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

/** An answer whose body begins with `text` and never ends. */
const endless = (text: string, init: ResponseInit): Answer => ({ signal }) =>
  new Response(
    new ReadableStream({
      start(controller) {
        if (text) controller.enqueue(new TextEncoder().encode(text));
        signal.addEventListener("abort", () => controller.error(signal.reason));
      },
    }),
    init,
  );

const PAGE = { "content-type": "application/json", "stream-next-offset": "7", "stream-up-to-date": "true" };
const STREAM = { "content-type": "text/event-stream" };
const page: Answer = () => new Response("[]", { headers: PAGE });
const refusal: Answer = () => new Response("", { status: 401 });
const isStream = (headers: Record<string, string>) => headers.accept !== undefined;
const givesThenNever = (text: string) => (wasRefused: boolean) => (wasRefused ? never() : text);

let requests = 0;
let hooks = 0;

/** The server answers each request like this. */
function serve(answer: Answer): void {
  vi.stubGlobal("fetch", async (url: URL, init: Parameters<Answer>[0]) => {
    requests += 1;
    init.signal.throwIfAborted();
    return answer({ ...init, url });
  });
}

/** The same hook, counted. */
function counted<T extends unknown[], R>(hook: (...given: T) => R): (...given: T) => R {
  return (...given) => {
    hooks += 1;
    return hook(...given);
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(1);
  vi.stubGlobal("WebSocket", FakeSocket);
  FakeSocket.all = [];
  requests = hooks = 0;
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test("each await of the sources is of a kind that is listed here", () => {
  const awaits = readdirSync(SOURCES).flatMap((file) => {
    const lines = readFileSync(new URL(file, SOURCES), "utf8").split("\n").filter((line) => !/^\s*(\*|\/)/.test(line));
    return lines.flatMap((line) => [...line.matchAll(/\bawait \(?([\w.#[(]+\)?)/g)].map(([, awaited]) => `${file}: ${awaited}`));
  });
  expect(awaits.length).toBeGreaterThan(20);
  expect(awaits.filter((found) => !Object.keys(AWAITED).some((kind) => found.split(": ")[1]!.startsWith(kind.split(")")[0]!)))).toEqual([]);
});

interface Reading {
  what: string;
  limitMs: number;
  options: SubscribeOptions;
  answer?: Answer;
  /** Leads the socket to the wait. */
  socket?: (socket: FakeSocket) => void;
}

const READINGS: Reading[] = [
  { what: "the hook for a token, before SSE", limitMs: 10_000, options: { transports: ["sse"], token: never } },
  { what: "the hook for a token, before a long poll", limitMs: 10_000, options: { transports: ["long-poll"], token: never } },
  { what: "the hook for a token, before a poll", limitMs: 10_000, options: { transports: ["poll"], token: never } },
  { what: "the hook for a ticket, before a poll", limitMs: 10_000, options: { transports: ["poll"], ticket: never } },
  { what: "the hook for a ticket, before a WebSocket", limitMs: 10_000, options: { transports: ["websocket"], ticket: never } },
  { what: "the hook for a fresh token", limitMs: 10_000, options: { transports: ["poll"], token: givesThenNever("stale") }, answer: refusal },
  {
    what: "the hook for a fresh ticket",
    limitMs: 10_000,
    options: { transports: ["websocket"], ticket: givesThenNever("stale") },
    socket: (socket) => {
      socket.say({ type: "error", code: "credential-invalid", status: 401, detail: "" });
      socket.say({ type: "close", code: 3500, reason: "credential-invalid" });
    },
  },
  { what: "a WebSocket that does not open", limitMs: 10_000, options: { transports: ["websocket"] } },
  { what: "a WebSocket that says no more", limitMs: 35_000, options: { transports: ["websocket"] }, socket: (socket) => socket.say({ type: "hello", offset: "-1" }) },
  { what: "the tail, before SSE", limitMs: 10_000, options: { transports: ["sse"] }, answer: silence },
  { what: "the head of SSE", limitMs: 10_000, options: { transports: ["sse"] }, answer: (asked) => (isStream(asked.headers) ? silence : page)(asked) },
  {
    what: "the first byte of SSE",
    limitMs: 10_000,
    options: { transports: ["sse"] },
    answer: (asked) => (isStream(asked.headers) ? endless("", { headers: STREAM }) : page)(asked),
  },
  {
    what: "the next byte of SSE",
    limitMs: 45_000,
    options: { transports: ["sse"] },
    answer: (asked) => (isStream(asked.headers) ? endless(":\n\n", { headers: STREAM }) : page)(asked),
  },
  { what: "the head of a page", limitMs: 10_000, options: { transports: ["poll"] }, answer: silence },
  { what: "the body of a page", limitMs: 10_000, options: { transports: ["poll"] }, answer: endless("[", { headers: PAGE }) },
  { what: "the body of a refusal", limitMs: 10_000, options: { transports: ["poll"] }, answer: endless("{", { status: 400 }) },
  {
    what: "a long poll",
    limitMs: 60_000,
    options: { transports: ["long-poll"] },
    answer: (asked) => (asked.url.searchParams.has("live") ? silence : page)(asked),
  },
  {
    what: "the body of a long poll",
    limitMs: 10_000,
    options: { transports: ["long-poll"] },
    answer: (asked) => (asked.url.searchParams.has("live") ? endless("[", { headers: PAGE }) : page)(asked),
  },
];

describe.each(READINGS)("a subscription waits for $what", ({ limitMs, options, answer = page, socket }) => {
  async function begin(signal?: AbortSignal) {
    serve(answer);
    const errors: TidewireError[] = [];
    const { token, ticket } = options;
    const subscription = subscribe(CHANNEL, {
      ...options,
      ...(token && { token: counted(token) }),
      ...(ticket && { ticket: counted(ticket) }),
      ...(signal && { signal }),
      onError: (error) => errors.push(error),
    });
    await vi.advanceTimersByTimeAsync(0);
    if (socket) socket(FakeSocket.all[0]!);
    await vi.advanceTimersByTimeAsync(0);
    return { subscription, errors };
  }

  test(`${limitMs} ms, and tries again`, async () => {
    const { subscription, errors } = await begin();
    await vi.advanceTimersByTimeAsync(limitMs - 1);
    expect(errors).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(errors).toMatchObject([{ code: expect.stringMatching(/^(timeout|connection-lost)$/), retryable: true }]);
    expect(subscription.state).toBe("waiting");
    const before = requests + hooks + FakeSocket.all.length;
    await vi.advanceTimersByTimeAsync(250);
    expect(requests + hooks + FakeSocket.all.length).toBeGreaterThan(before);
    subscription.close();
  });

  test("until its signal, and then asks for nothing", async () => {
    const abort = new AbortController();
    const { subscription, errors } = await begin(abort.signal);
    const iteration = subscription[Symbol.asyncIterator]().next();
    await vi.advanceTimersByTimeAsync(limitMs / 2);
    abort.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(await iteration).toEqual({ done: true, value: undefined });
    const before = requests + hooks + FakeSocket.all.length;
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect([requests + hooks + FakeSocket.all.length, subscription.state, errors]).toEqual([before, "closed", []]);
    expect(FakeSocket.all.filter(({ isClosed }) => !isClosed)).toEqual([]);
    expect(vi.getTimerCount(), "timers that are left").toBe(0);
  });
});

test("a hook that gives nothing is named, and one that does again is all it takes", async () => {
  serve(page);
  const errors: TidewireError[] = [];
  let isBroken = true;
  const subscription = subscribe(CHANNEL, { transports: ["poll"], token: () => (isBroken ? never() : "t"), onError: (error) => errors.push(error) });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(errors[0]!.detail).toBe("`token` or `ticket` gave nothing in time");
  expect(requests).toBe(0);
  isBroken = false;
  await vi.advanceTimersByTimeAsync(250);
  expect(subscription.state).toBe("live");
  subscription.close();
});

test.each([
  ["of failures in a row, 30 s", {}, 30_000],
  ["that the server asks for, an hour of a year", { "retry-after": YEAR_S }, HOUR_MS],
])("the wait between attempts has an end: %s", async (_, headers, longestMs) => {
  serve(() => new Response("", { status: 503, headers }));
  const subscription = subscribe(CHANNEL, { transports: ["poll"], backoff: { baseMs: 1e15 } });
  await vi.advanceTimersByTimeAsync(longestMs - 1);
  const before = requests;
  await vi.advanceTimersByTimeAsync(1);
  expect([before, requests]).toEqual([1, 2]);
  subscription.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("a wait that no timer can hold is long, and not none", async () => {
  serve(page);
  const subscription = subscribe(CHANNEL, { transports: ["poll"], pollMs: Infinity });
  await vi.advanceTimersByTimeAsync(HOUR_MS);
  expect(requests).toBe(1);
  subscription.close();
});

interface Sending {
  what: string;
  limitMs: number;
  options?: PublishOptions;
  answer?: Answer;
}

const stored: Answer = () => new Response(null, { status: 204, headers: { "stream-next-offset": "7" } });

const SENDINGS: Sending[] = [
  { what: "the hook for a token", limitMs: 30_000, options: { token: never } },
  { what: "the hook for a ticket", limitMs: 30_000, options: { ticket: never } },
  { what: "the hook for a fresh token", limitMs: 30_000, options: { token: givesThenNever("stale") }, answer: refusal },
  { what: "the answer", limitMs: 30_000, answer: silence },
  { what: "the rest of a refusal", limitMs: 30_000, answer: endless("{", { status: 400 }) },
  {
    what: "where the tail is, of what was stored before",
    limitMs: 30_000,
    answer: (asked) => (asked.method === "HEAD" ? silence(asked) : new Response(null, { status: 204, headers: { "producer-seq": "0" } })),
  },
];

describe.each(SENDINGS)("a publish waits for $what", ({ limitMs, options, answer = stored }) => {
  test(`${limitMs} ms, and lets the next continue`, async () => {
    serve(answer);
    const send = publisher(CHANNEL, { ...options, attempts: 1 });
    const ends: string[] = [];
    const first = send(1).catch((error: TidewireError) => ends.push(`first: ${error.code}`));
    const second = send(2).catch((error: TidewireError) => ends.push(`second: ${error.code}`));
    await vi.advanceTimersByTimeAsync(limitMs - 1);
    expect(ends).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ends).toEqual(["first: timeout"]);
    serve(stored);
    await vi.advanceTimersByTimeAsync(limitMs);
    await Promise.all([first, second]);
    expect(ends).toEqual(["first: timeout", "second: timeout"]);
  });

  test("until its signal, and so does the next its turn", async () => {
    serve(answer);
    const abort = new AbortController();
    const send = publisher(CHANNEL, options);
    const rejected = expect(send(1, abort.signal)).rejects.toThrow("enough");
    const other = new AbortController();
    const turn = expect(send(2, other.signal)).rejects.toThrow("no more");
    await vi.advanceTimersByTimeAsync(1_000);
    const before = requests;
    other.abort(new Error("no more"));
    await turn;
    abort.abort(new Error("enough"));
    await rejected;
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(requests, "what was given up is not sent").toBe(before);
    expect(vi.getTimerCount()).toBe(0);
    for (const { signal } of [abort, other]) expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

test("a hook that never settles blocks no other publisher, and publishes of its own for the time of its attempts only", async () => {
  serve(stored);
  const blocked = publish(`${CHANNEL}/a`, 1, { token: never }).catch((error: TidewireError) => error);
  const next = publish(`${CHANNEL}/a`, 2);
  expect(await publish(`${CHANNEL}/b`, 1)).toBe("7");
  // Six attempts, and five waits of 250 ms to 4 s between.
  await vi.advanceTimersByTimeAsync(6 * 30_000 + 7_750);
  expect(await blocked).toMatchObject({ code: "timeout", retryable: true, detail: "`token` or `ticket` gave nothing in time" });
  expect(await next).toBe("7");
  expect(requests).toBe(2);
});

test("a publish that is given up between two attempts may have arrived: its number is not used again", async () => {
  const numbers: string[] = [];
  serve(({ headers }) => {
    numbers.push(`${headers["producer-epoch"]}/${headers["producer-seq"]}`);
    if (numbers.length === 1) throw new TypeError("the answer is lost");
    return stored(undefined as never);
  });
  const send = publisher(CHANNEL);
  const abort = new AbortController();
  const first = expect(send(1, abort.signal)).rejects.toThrow("enough");
  await vi.advanceTimersByTimeAsync(10);
  abort.abort(new Error("enough"));
  await first;
  await send(2);
  expect(numbers).toEqual(["0/0", "1/0"]);
});

test("a publish waits no longer than an hour to send again, whatever the server asks for", async () => {
  serve(() => new Response("", { status: 503, headers: { "retry-after": YEAR_S } }));
  const abort = new AbortController();
  const sent = publish(CHANNEL, 1, { signal: abort.signal }).catch((error: Error) => error.message);
  await vi.advanceTimersByTimeAsync(HOUR_MS - 1);
  expect(requests).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(requests).toBe(2);
  abort.abort(new Error("enough"));
  expect(await sent).toBe("enough");
  expect(vi.getTimerCount()).toBe(0);
});
