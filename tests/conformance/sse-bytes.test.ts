// Our SSE bytes through a decoder that we did not write, cut into pieces of any size.

import { createParser, type EventSourceMessage } from "eventsource-parser";
import { expect, onTestFinished, test } from "vitest";
import { announcedSeed, between, randomFrom } from "../harness/random.ts";
import { describeOwnServer, freshName, header, publish, publishAll, useOwnServer } from "../harness/suite.ts";

/** Text that an encoder of lines may trip over. A stream carries no difference between CR, LF and CRLF. */
const TEXTS = [
  "plain",
  "two\nlines",
  "two\r\nlines",
  "two\rlines",
  "mixed\r\rends\n\r\nhere",
  "ends with LF\n",
  "ends with CR\r",
  "\n",
  "\r\n",
  "\n\n\n",
  " one leading space",
  "  two leading spaces",
  " ",
  "\ttab",
  ": looks like a comment",
  "data: looks like a field",
  "injected\n\nid: 666\ndata: forged\n\n",
  "injected\revent: gap\r\rdata: forged",
  "retry: 1\n",
  "\ufeffstarts with a BOM",
  "nul \0 inside",
  "grüße, 世界, \u{1f30a}\u{1f469}\u200d\u{1f680}",
  "line separator \u2028 and next line \u0085",
  "x".repeat(20_000),
];

interface Decoded {
  events: EventSourceMessage[];
  comments: number;
  retries: number[];
}

/** Decodes `bytes` in pieces of the sizes that `size` gives. */
function decode(bytes: Uint8Array, size: () => number): Decoded {
  const decoded: Decoded = { events: [], comments: 0, retries: [] };
  const parser = createParser({
    onEvent: (event) => decoded.events.push(event),
    onComment: () => (decoded.comments += 1),
    onRetry: (retry) => decoded.retries.push(retry),
  });
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let at = 0; at < bytes.length; ) {
    const end = at + size();
    parser.feed(decoder.decode(bytes.subarray(at, end), { stream: true }));
    at = end;
  }
  return decoded;
}

/** The bytes of a stream until `enough` says so. */
async function streamBytes(url: string, headers: Record<string, string>, enough: (soFar: Decoded) => boolean): Promise<Uint8Array> {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const answer = await fetch(url, { headers, signal: abort.signal });
  expect(answer.status).toBe(200);
  expect(header(answer, "content-type")).toMatch(/^text\/event-stream/);
  let bytes = new Uint8Array();
  for await (const chunk of answer.body!) {
    bytes = Buffer.concat([bytes, chunk]);
    if (enough(decode(bytes, () => bytes.length))) break;
  }
  return bytes;
}

const EVENT_SOURCE = { accept: "text/event-stream" };

describeOwnServer("sse bytes", () => {
  const server = useOwnServer("sse-bytes", { HEARTBEAT_MS: "200", RETRY_MS: "2000" });

  async function textStream(texts: string[]): Promise<string> {
    const stream = `${server.url}/v1/stream/${freshName()}`;
    const created = await fetch(stream, { method: "PUT", headers: { "content-type": "text/plain" } });
    expect(created.status).toBe(201);
    for (const text of texts) {
      const answer = await fetch(stream, { method: "POST", headers: { "content-type": "text/plain" }, body: text });
      expect(answer.status).toBe(204);
    }
    return stream;
  }

  test("text of every kind arrives as one event each, however the bytes are cut", async () => {
    const stream = await textStream(TEXTS);
    const bytes = await streamBytes(stream, EVENT_SOURCE, ({ events }) => events.length >= TEXTS.length);
    const random = randomFrom(announcedSeed());
    const sizes: (() => number)[] = [() => 1, () => 2, () => 3, () => 7, () => bytes.length];
    for (let run = 0; run < 30; run += 1) sizes.push(() => between(random, 1, 40));
    for (const size of sizes) {
      const { events } = decode(bytes, size);
      expect(events.map(({ data }) => data)).toEqual(TEXTS.map((text) => text.replace(/\r\n|\r/g, "\n")));
      expect(events.map(({ event }) => event)).toEqual(TEXTS.map(() => undefined));
    }
  });

  test("an event as long as a body may be arrives whole", async () => {
    const text = "größe 世界\r\n".repeat(60_000).trimEnd();
    const stream = await textStream([text]);
    const bytes = await streamBytes(stream, EVENT_SOURCE, ({ events }) => events.length >= 1);
    const random = randomFrom(announcedSeed());
    const { events } = decode(bytes, () => between(random, 1, 40_000));
    expect(events.map(({ data }) => data === text.replaceAll("\r\n", "\n"))).toEqual([true]);
  });

  test("each event has its offset as id, and the id resumes right after it", async () => {
    const stream = await textStream(TEXTS);
    const bytes = await streamBytes(stream, EVENT_SOURCE, ({ events }) => events.length >= TEXTS.length);
    const ids = decode(bytes, () => bytes.length).events.map(({ id }) => id!);
    expect(new Set(ids).size).toBe(TEXTS.length);
    expect(ids).toEqual([...ids].sort());
    for (const [index, id] of ids.slice(0, -1).entries()) {
      const rest = await streamBytes(stream, { ...EVENT_SOURCE, "last-event-id": id }, ({ events }) => events.length >= 1);
      expect(decode(rest, () => rest.length).events[0]!.id).toBe(ids[index + 1]);
    }
  });

  test("JSON of every kind arrives unchanged", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const values = [...TEXTS, "", null, 0, [], {}, { "a\nb": ["\r\n"] }];
    await publishAll(channel, values);
    // White space between tokens is not data, but an encoder that copies the body must split its lines.
    await fetch(channel, { method: "POST", headers: { "content-type": "application/json" }, body: '{\r\n"spread":\r [1,\n\n2]\n}' });
    const bytes = await streamBytes(channel, EVENT_SOURCE, ({ events }) => events.length > values.length);
    const random = randomFrom(announcedSeed());
    const { events } = decode(bytes, () => between(random, 1, 20));
    expect(events.map(({ data }) => JSON.parse(data) as unknown)).toEqual([...values, { spread: [1, 2] }]);
  });

  test("retry comes before the first event, once", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    await publish(channel, 1);
    const bytes = await streamBytes(channel, EVENT_SOURCE, ({ events }) => events.length === 1);
    expect(Buffer.from(bytes).toString()).toMatch(/^retry: ?\d+\r?\n/);
    const { retries } = decode(bytes, () => bytes.length);
    expect(retries).toHaveLength(1);
    // Spread by half to either side.
    expect(retries[0]).toBeGreaterThanOrEqual(1_000);
    expect(retries[0]).toBeLessThanOrEqual(3_000);
  });

  test("heartbeats are comments: no event and no id", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    await publish(channel, 1);
    const bytes = await streamBytes(channel, EVENT_SOURCE, ({ comments }) => comments >= 3);
    expect(decode(bytes, () => bytes.length).events).toHaveLength(1);
    // That of the position at the beginning, and that of the event.
    expect(Buffer.from(bytes).toString().match(/^id:/gm)).toHaveLength(2);
  });

  test("live=sse puts an id on data and no id on control", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    await publishAll(channel, [1, 2]);
    const last = await publish(channel, 3);
    const bytes = await streamBytes(`${channel}?offset=-1&live=sse`, {}, ({ events }) =>
      events.some(({ data }) => data.includes('"upToDate":true')),
    );
    const { events } = decode(bytes, () => 5);
    const data = events.filter(({ event }) => event === "data");
    const controls = events.filter(({ event }) => event === "control");
    expect(data.flatMap((event) => JSON.parse(event.data) as unknown[])).toEqual([1, 2, 3]);
    expect(data.at(-1)!.id).toBe(last);
    expect(controls.map(({ id }) => id)).toEqual(controls.map(() => undefined));
    expect(JSON.parse(controls.at(-1)!.data)).toMatchObject({ streamNextOffset: last, upToDate: true, streamCursor: expect.any(String) });
  });

  test("live=sse carries text of every kind, however the bytes are cut", async () => {
    const stream = await textStream(TEXTS);
    const bytes = await streamBytes(`${stream}?offset=-1&live=sse`, {}, ({ events }) =>
      events.some(({ data, event }) => event === "control" && data.includes('"upToDate":true')),
    );
    const random = randomFrom(announcedSeed());
    const { events } = decode(bytes, () => between(random, 1, 40));
    const data = events.filter(({ event }) => event === "data").map((event) => event.data);
    // Here the appends are one text, so CR at the end of one and LF at the start of the next are one line end.
    expect(data.join("")).toBe(TEXTS.join("").replace(/\r\n|\r/g, "\n"));
  });

  test("binary data is base64 for an EventSource", async () => {
    const stream = `${server.url}/v1/stream/${freshName()}`;
    await fetch(stream, { method: "PUT", headers: { "content-type": "application/octet-stream" } });
    const sent = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await fetch(stream, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: sent });
    const bytes = await streamBytes(stream, EVENT_SOURCE, ({ events }) => events.length === 1);
    const [event] = decode(bytes, () => 9).events;
    expect(Buffer.from(event!.data.replace(/\n/g, ""), "base64")).toEqual(sent);
  });
});
