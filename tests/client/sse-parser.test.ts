// The client's decoder of server-sent events against the shared vectors, whole and a byte at a time.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
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
