// Bad input on every transport: the right status or close code, a problem that names the fault, nothing stored, and readers
// of the same channel undisturbed.

import { beforeAll, afterAll, afterEach, describe, expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { PLATFORM } from "../harness/platform.ts";
import { sendRaw } from "../harness/raw.ts";
import { read, TRANSPORTS, type Reader } from "../harness/readers.ts";
import { Socket } from "../harness/socket.ts";
import { ABSENT, freshName, head, publish, useServer } from "../harness/suite.ts";

const JSON_TYPE = { "content-type": "application/json" };

// Defaults of the settings table.
const MAX_EVENT_BYTES = 65_536;
const MAX_BODY_BYTES = 1_048_576;
const MAX_BATCH_EVENTS = 1_000;

const server = useServer();
const name = freshName();
let channel = "";
let tail = "";
const bystanders: Reader[] = [];

beforeAll(async () => {
  channel = `${server.url}/feed/${name}`;
  tail = await publish(channel, "before");
  bystanders.push(...TRANSPORTS.map((transport) => read(transport, channel)));
  for (const { transport, events } of bystanders) await eventually(`${transport} reads`, () => events.length === 1);
});

afterEach(async () => {
  expect(await head(channel), "something was stored").toBe(tail);
});

afterAll(async () => {
  await publish(channel, "after");
  for (const { transport, events } of bystanders) await eventually(`${transport} still reads`, () => events.length >= 2);
  for (const { transport, events, gaps } of bystanders) expect([events, gaps], transport).toEqual([["before", "after"], []]);
  const connections = bystanders.filter(({ transport }) => transport === "websocket" || transport === "sse");
  expect(connections.map(({ requests }) => requests), "connections").toEqual(connections.map(() => 1));
  bystanders.forEach((reader) => reader.close());
});

/** The answer is a problem of this kind and says so in all the places where a client may look. */
async function expectProblem(answer: Response, status: number, code: string | RegExp): Promise<void> {
  const body = await answer.text();
  expect(answer.status, body).toBe(status);
  expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  const problem = JSON.parse(body) as { type: string; status: number; title: string; detail: string };
  expect(problem.type).toMatch(typeof code === "string" ? `urn:tidewire:${code}` : code);
  expect(problem.status).toBe(status);
  expect(problem.title).not.toBe("");
  expect(problem.detail).not.toBe("");
}

/** The same read on each transport of HTTP. */
const READS: { how: string; query: string; headers: Record<string, string> }[] = [
  { how: "GET", query: "", headers: {} },
  { how: "EventSource", query: "", headers: { accept: "text/event-stream" } },
  { how: "live=sse", query: "live=sse", headers: {} },
  { how: "long poll", query: "live=long-poll", headers: {} },
];

const BAD_STARTS: { what: string; query: string; code: string }[] = [
  { what: "a word as offset", query: "offset=abc", code: "offset-malformed" },
  { what: "an empty offset", query: "offset=", code: "offset-malformed" },
  { what: "a number as offset", query: "offset=0", code: "offset-malformed" },
  { what: "a negative offset", query: "offset=-2", code: "offset-malformed" },
  { what: "an offset of no channel that could be", query: "offset=000000000000_00000000000001", code: "offset-malformed" },
  { what: "an offset in upper case", query: "offset=NOW", code: "offset-malformed" },
  { what: "an offset with NUL", query: "offset=-1%00", code: "offset-malformed" },
  { what: "an offset with CR and LF", query: "offset=-1%0D%0A", code: "offset-malformed" },
  { what: "an offset with a slash", query: "offset=..%2F..%2Fetc", code: "offset-malformed" },
  { what: "an offset that is not UTF-8", query: "offset=%FF%FE", code: "offset-malformed" },
  { what: "an offset of 200 bytes", query: `offset=${"0".repeat(200)}`, code: "offset-malformed" },
  { what: "a last_event_id with LF", query: "last_event_id=x%0Ay&offset=-1", code: "offset-malformed" },
  { what: "two offsets", query: "offset=-1&offset=now", code: "parameter-repeated" },
  { what: "the same offset twice", query: "offset=-1&offset=-1", code: "parameter-repeated" },
  { what: "two names of a polyfill's id", query: "lastEventID=-1&lastEventId=-1&offset=-1", code: "parameter-repeated" },
  { what: "two of last_event_id", query: "last_event_id=-1&last_event_id=-1&offset=-1", code: "parameter-repeated" },
];

/** Path segments as they stand on the wire. */
const BAD_NAMES: { what: string; segment: string }[] = [
  { what: "an encoded slash", segment: "a%2Fb" },
  { what: "a second segment", segment: "a/b" },
  { what: "traversal with encoded slashes", segment: "..%2F..%2Fetc%2Fpasswd" },
  { what: "a backslash", segment: "..%5Ca" },
  { what: "NUL", segment: "a%00b" },
  { what: "CR", segment: "a%0Db" },
  { what: "LF", segment: "a%0Ab" },
  { what: "a space", segment: "a%20b" },
  { what: "a letter outside ASCII", segment: "caf%C3%A9" },
  { what: "bytes that are not UTF-8", segment: "a%FFb" },
  { what: "a leading dash", segment: "-a" },
  { what: "256 bytes", segment: `demo-${"a".repeat(251)}` },
];

describe.each(READS)("a read by $how", ({ query: transport, headers }) => {
  test.each(BAD_STARTS)("refuses $what", async ({ query, code }) => {
    await expectProblem(await fetch(`${channel}?${transport}&${query}`, { headers }), 400, code);
  });

  test.each(BAD_NAMES)("refuses a name with $what", async ({ segment }) => {
    const answer = await fetch(`${server.url}/feed/${segment}?offset=-1&${transport}`, { headers });
    await expectProblem(answer, 400, "channel-name-invalid");
  });

  test("refuses a malformed Last-Event-ID", async () => {
    const answer = await fetch(`${channel}?offset=-1&${transport}`, { headers: { ...headers, "last-event-id": "abc" } });
    await expectProblem(answer, 400, "offset-malformed");
  });

  test("refuses a Last-Event-ID that is not UTF-8", async () => {
    const answer = await fetch(`${channel}?offset=-1&${transport}`, { headers: { ...headers, "last-event-id": "\u00ff\u00fe" } });
    if (PLATFORM === "workers") return expectProblem(answer, 400, "offset-malformed");
    // Spin answers itself, before any component sees the request.
    expect([answer.status, await answer.text()]).toEqual([500, ""]);
  });
});

describe("a read", () => {
  test("refuses a live mode that does not exist", async () => {
    await expectProblem(await fetch(`${channel}?offset=-1&live=maybe`), 400, "live-unknown");
  });

  test("refuses an empty live mode", async () => {
    await expectProblem(await fetch(`${channel}?offset=-1&live=`), 400, "live-unknown");
  });

  test("refuses live twice", async () => {
    await expectProblem(await fetch(`${channel}?offset=-1&live=sse&live=sse`), 400, "parameter-repeated");
  });

  test.each(["sse", "long-poll"])("refuses live=%s without an offset", async (live) => {
    await expectProblem(await fetch(`${channel}?live=${live}`), 400, "offset-missing");
  });

  // `fetch` does not send these. The HTTP parser may refuse them before the Worker sees them, so the test expects no problem details.
  test.each([
    ["NUL", "a\0b"],
    ["CR", "a\rb"],
    ["LF", "a\nb"],
    ["a header behind CR LF", "a\r\nX-Injected: yes"],
  ])("refuses a Last-Event-ID with %s", async (_, value) => {
    const answer = await sendRaw(server.url, [
      `GET /feed/${name}?offset=-1 HTTP/1.1`,
      "Accept: text/event-stream",
      `Last-Event-ID: ${value}`,
    ]);
    expect(answer.status).toBe(400);
    expect(answer.headers.has("x-injected")).toBe(false);
  });

  test("refuses a path with a control character", async () => {
    const answer = await sendRaw(server.url, [`GET /feed/a\x01b HTTP/1.1`]);
    expect(answer.status).toBe(400);
  });
});

describe("a publish over HTTP", () => {
  const post = (body: BodyInit, headers: Record<string, string> = JSON_TYPE) => fetch(channel, { method: "POST", headers, body });
  const bytes = (text: string) => Buffer.from(text, "latin1");

  test.each<[string, BodyInit, number, string | RegExp]>([
    ["an empty body", "", 400, "body-empty"],
    ["an empty batch", "[]", 400, "body-empty"],
    ["half a value", '{"a":', 400, "body-not-json"],
    ["a bare word", "hello", 400, "body-not-json"],
    ["a trailing comma", "[1,]", 400, "body-not-json"],
    ["two values", "1 2", 400, "body-not-json"],
    ["only white space", " \r\n", 400, /body-(empty|not-json)$/],
    ["a raw line feed in a string", '"a\nb"', 400, "body-not-json"],
    ["a raw NUL", "\0", 400, "body-not-json"],
    ["invalid UTF-8 in a string", bytes('"\xff\xfe"'), 400, /body-not-(json|utf8)$/],
    ["a lone surrogate in UTF-8", bytes('"\xed\xa0\x80"'), 400, /body-not-(json|utf8)$/],
    ["an event above the limit", JSON.stringify("a".repeat(MAX_EVENT_BYTES)), 413, "event-too-large"],
    ["a batch with one event above the limit", JSON.stringify([1, "a".repeat(MAX_EVENT_BYTES), 3]), 413, "event-too-large"],
    ["a batch with too many events", JSON.stringify(Array(MAX_BATCH_EVENTS + 1).fill(1)), 413, "batch-too-large"],
    ["a body above the limit", JSON.stringify(Array(40).fill("a".repeat(30_000))), 413, "body-too-large"],
  ])("refuses %s", async (_, body, status, code) => {
    await expectProblem(await post(body), status, code);
  });

  test("refuses a body above the limit whose length is not announced", async () => {
    const answer = await sendRaw(
      server.url,
      [`POST /feed/${name} HTTP/1.1`, "Content-Type: application/json", "Transfer-Encoding: chunked"],
      `${(MAX_BODY_BYTES + 2).toString(16)}\r\n${JSON.stringify("a".repeat(MAX_BODY_BYTES))}\r\n0\r\n\r\n`,
    );
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({ type: "urn:tidewire:body-too-large", status: 413 });
  });

  test("refuses a body without a content type", async () => {
    // A Blob without a type: a text body would be given one by `fetch`.
    await expectProblem(await post(new Blob(["1"]), {}), 400, "content-type-missing");
  });

  test.each(["text/plain", "application/octet-stream", "application/jsonp"])("refuses the content type %s", async (type) => {
    await expectProblem(await post("1", { "content-type": type }), 409, "content-type-mismatch");
  });

  test.each(["json", "/", "text/plain, application/json"])("refuses %s, which is not a content type", async (type) => {
    await expectProblem(await post("1", { "content-type": type }), 400, "header-invalid");
  });

  test("creates no channel when it refuses", async () => {
    const other = `${server.url}/feed/${freshName()}`;
    await expectProblem(await fetch(other, { method: "POST", headers: JSON_TYPE, body: "{" }), 400, "body-not-json");
    expect((await fetch(other)).headers.get("stream-next-offset")).toBe(ABSENT);
  });

  test.each(BAD_NAMES)("refuses a name with $what", async ({ segment }) => {
    const answer = await fetch(`${server.url}/feed/${segment}`, { method: "POST", headers: JSON_TYPE, body: "1" });
    await expectProblem(answer, 400, "channel-name-invalid");
  });

  test("refuses another method and names those it takes", async () => {
    const answer = await fetch(channel, { method: "PATCH", headers: JSON_TYPE, body: "1" });
    expect(answer.headers.get("allow")).toMatch(/GET/);
    expect(answer.headers.get("allow")).toMatch(/POST/);
    await expectProblem(answer, 405, "method-not-allowed");
  });

  test("refuses an address that does not parse", async () => {
    await expectProblem(await fetch(`${server.url}/nothing/here`), 404, "route-not-found");
  });
});

describe("a WebSocket", { tags: ["websocket"] }, () => {
  const address = (segment: string) => `${server.url}/feed/${segment}`;

  // A browser cannot read the status of a failed upgrade, so these open, say what is wrong, and close.
  test.each(BAD_STARTS)("opens, refuses $what and closes with 3501", async ({ query, code }) => {
    const socket = await Socket.open(`${channel}?${query}`);
    expect(await socket.first("error")).toMatchObject({ code, status: 400 });
    expect(await socket.closed()).toBe(3501);
    expect(socket.frames).toHaveLength(1);
  });

  test.each(BAD_NAMES)("opens, refuses a name with $what and closes with 3501", async ({ segment }) => {
    const socket = await Socket.open(`${address(segment)}?offset=-1`);
    expect(await socket.first("error")).toMatchObject({ code: "channel-name-invalid", status: 400 });
    expect(await socket.closed()).toBe(3501);
  });

  test.each<[string, unknown]>([
    ["broken JSON", '{"type":'],
    ["text that is not a frame", "hello"],
    ["an empty frame", ""],
    ["an array", [1]],
    ["a number", "7"],
    ["no type", { id: "1", data: 1 }],
    ["an unknown type", { type: "dance", id: "1" }],
    ["a publish without an id", { type: "publish", data: 1 }],
    ["a publish with an empty id", { type: "publish", id: "", data: 1 }],
    ["a publish with an id of 65 bytes", { type: "publish", id: "i".repeat(65), data: 1 }],
    ["a publish with a number as id", { type: "publish", id: 1, data: 1 }],
    ["a publish without data", { type: "publish", id: "1" }],
    ["a producer whose id is not visible ASCII", { type: "publish", id: "1", data: 1, producer: { id: "Zoë", epoch: 0, seq: 0 } }],
    ["a producer whose id has a space", { type: "publish", id: "1", data: 1, producer: { id: "a b", epoch: 0, seq: 0 } }],
  ])("refuses %s", async (_, frame) => {
    const socket = await Socket.open(channel);
    await socket.first("hello");
    socket.send(frame);
    expect(await socket.first("error")).toMatchObject({ code: "frame-invalid", status: 400 });
    expect(socket.all("ack")).toEqual([]);
  });

  test("refuses a publish above the limit, with its id, and continues", async () => {
    const socket = await Socket.open(channel);
    socket.send({ type: "publish", id: "large", data: "a".repeat(MAX_EVENT_BYTES) });
    expect(await socket.first("error")).toMatchObject({ id: "large", code: "event-too-large", status: 413 });
    socket.send("ping");
    await eventually("a pong", () => socket.texts.length === 1);
  });

  test("closes with 1003 on a binary frame", async () => {
    const socket = await Socket.open(channel);
    socket.raw.send(new Uint8Array([0x7b, 0x7d]));
    expect(await socket.closed()).toBe(1003);
  });

  test("closes with 1009 on a frame above the limit", async () => {
    const socket = await Socket.open(channel);
    socket.send({ type: "publish", id: "1", data: "a".repeat(MAX_BODY_BYTES) });
    expect(await socket.closed()).toBe(1009);
  });
});
