// The client's decoder of server-sent events against the shared vectors, whole and a byte at a time, and against a decoder that we did not write.

import { readFileSync } from "node:fs";
import { createParser } from "eventsource-parser";
import { describe, expect, test } from "vitest";
import { announcedSeed, between, pick, randomFrom, type Random } from "../harness/random.ts";
import { SseParser, type SseEvent } from "../../shared/client/src/sse-parser.ts";

type Text = string | { repeat: string; times: number } | { hex: string } | Text[];

interface Vector {
  id: string;
  purpose: string;
  given: { chunks: Text[] };
  expected: { events: { event: string; data: Text; lastEventId: string }[] };
}

const { decode } = JSON.parse(readFileSync(new URL("../../shared/core/vectors/sse.json", import.meta.url), "utf8")) as { decode: Vector[] };

function bytes(text: Text): Buffer {
  if (typeof text === "string") return Buffer.from(text);
  if (Array.isArray(text)) return Buffer.concat(text.map(bytes));
  if ("hex" in text) return Buffer.from(text.hex.replaceAll(" ", ""), "hex");
  return Buffer.from(text.repeat.repeat(text.times));
}

function parse(chunks: Uint8Array[]): SseEvent[] {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

describe("sse vector", () => {
  test.each(decode)("$id: $purpose", ({ given, expected }) => {
    const chunks = given.chunks.map(bytes);
    const events = expected.events.map((event) => ({ ...event, data: bytes(event.data).toString() }));
    expect(parse(chunks)).toEqual(events);
    expect(parse([...Buffer.concat(chunks)].map((byte) => Uint8Array.of(byte)))).toEqual(events);
  });
});

/** What streams are made of, the awkward parts more often than in life. */
const PARTS = [
  ...["\r", "\n", "\r\n", "\n\n", "\r\r", "\r\n\r\n"],
  ...["data", "data:", "data: ", "data:  x", "data:one", "data: zwei: drei", "event: gap", "event:", "id: 7", "id:", "id: a b", "id: n\0l", "retry: 10", "retry: x"],
  ...[":", ": heartbeat", "unknown: field", "DATA: x", " data: x", "\ufeff", "größe", "世界", "\u{1f30a}", "\u2028", "\0"],
];

/** Cuts at random, within characters too. */
function cut(stream: Uint8Array, random: Random, longest = 12): Uint8Array[] {
  const chunks = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + between(random, 1, longest);
    chunks.push(stream.subarray(at, end));
    at = end;
  }
  return chunks;
}

/** By npm's eventsource-parser, which gives an event the id of its own block only. */
function parseByOther(chunks: Uint8Array[]): Pick<SseEvent, "event" | "data">[] {
  const events: Pick<SseEvent, "event" | "data">[] = [];
  const parser = createParser({ onEvent: ({ event, data }) => events.push({ event: event ?? "message", data }) });
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
  return events;
}

const withoutId = (events: SseEvent[]) => events.map(({ event, data }) => ({ event, data }));

test("random streams, cut at random, are the same to npm's eventsource-parser", () => {
  const random = randomFrom(announcedSeed());
  let count = 0;
  for (let run = 0; run < 3_000; run += 1) {
    const text = Array.from({ length: between(random, 1, 40) }, () => pick(random, PARTS)).join("");
    const chunks = cut(Buffer.from(text), random);
    const events = withoutId(parse(chunks));
    expect(events, JSON.stringify(text)).toEqual(parseByOther(chunks));
    expect(withoutId(parse([Buffer.from(text)])), JSON.stringify(text)).toEqual(events);
    count += events.length;
  }
  expect(count, "the streams hold events").toBeGreaterThan(1_000);
});

test("an event of two megabytes, cut at random, arrives whole", () => {
  const random = randomFrom(announcedSeed());
  const data = "größe 世界 \u{1f30a} ".repeat(100_000).trimEnd();
  const chunks = cut(Buffer.from(`id: 1\ndata: ${data}\n\n`), random, 10_000);
  expect(parse(chunks)).toEqual([{ event: "message", data, lastEventId: "1" }]);
});
