// The shared vectors of the core against a running server, and against an SSE decoder that we did not write.
// A vector that needs settings or a clock of its own runs against the core alone.

import { readFileSync } from "node:fs";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { describe, expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { Socket } from "../harness/socket.ts";
import { freshName, useServer } from "../harness/suite.ts";

type Text = string | { repeat: string; times: number } | { hex: string } | Text[];

interface Step {
  request: { method: string; path?: string; query?: string; headers?: Record<string, string>; body?: Text; frames?: unknown[] };
  expected: {
    status: number;
    headers?: Record<string, string | { contains: string } | null>;
    body?: Text;
    bodyContains?: string[];
    json?: unknown;
    problem?: string;
    earliest?: string;
    frames?: object[];
    close?: number;
  };
  save?: Record<string, string>;
}

interface Vector {
  id: string;
  purpose: string;
  requires: string[];
}

interface HttpVector extends Vector {
  function: "chat" | "feed" | "status" | "streams";
  steps: Step[];
}

interface EncodeVector extends Vector {
  given: { id?: string; event?: string; data: Text };
  expected: { bytes: Text };
}

interface DecodeVector extends Vector {
  given: { chunks: Text[] };
  expected: { events: { event: string; data: Text }[]; retry?: number };
}

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(`../../shared/core/vectors/${file}`, import.meta.url), "utf8"));
const http = read("http.json") as { cases: HttpVector[] };
const sse = read("sse.json") as { encode: EncodeVector[]; decode: DecodeVector[] };

const PREFIX = { chat: "/chat/", feed: "/feed/", status: "/status/", streams: "/v1/stream/" };

const server = useServer();

function bytes(text: Text): Buffer<ArrayBuffer> {
  if (typeof text === "string") return Buffer.from(text);
  if (Array.isArray(text)) return Buffer.concat(text.map(bytes));
  if ("hex" in text) return Buffer.from(text.hex.replaceAll(" ", ""), "hex");
  return Buffer.from(text.repeat.repeat(text.times));
}

describe("http vector", () => {
  const cases = http.cases.filter(({ requires }) => !requires.includes("settings"));

  for (const { id, purpose, requires, function: name, steps } of cases) {
    test(`${id}: ${purpose}`, { tags: requires }, () => follow(name, steps));
  }
});

async function follow(name: HttpVector["function"], steps: Step[]): Promise<void> {
  const channel = freshName();
  const saved: Record<string, string> = { name: channel, channel: `${server.url}${PREFIX[name]}${channel}` };
  for (const [number, given] of steps.entries()) {
    const filled = Object.entries(saved).reduce((text, [key, value]) => text.replaceAll(`{${key}}`, value.replaceAll('"', '\\"')), JSON.stringify(given));
    const { request, expected, save } = JSON.parse(filled) as Step;
    const url = `${server.url}${PREFIX[name]}${request.path ?? channel}${request.query ? `?${request.query}` : ""}`;
    if (request.headers?.upgrade === "websocket") await checkSocket(url, request, expected);
    else {
      const answer = await checkAnswer(`step ${number}`, url, request, expected);
      for (const [key, header] of Object.entries(save ?? {})) saved[key] = answer.headers.get(header)!;
    }
  }
}

async function checkSocket(url: string, request: Step["request"], expected: Step["expected"]): Promise<void> {
  const socket = await Socket.open(url);
  for (const frame of request.frames ?? []) socket.send(frame);
  // In this order, with others between them.
  let seen = 0;
  for (const frame of expected.frames ?? []) {
    await eventually(`the frame ${JSON.stringify(frame)}`, () => {
      while (seen < socket.frames.length) if (matches(socket.frames[seen++], frame)) return true;
      return false;
    });
  }
  if (expected.close !== undefined) expect(await socket.closed()).toBe(expected.close);
}

function matches(actual: unknown, expected: object): boolean {
  try {
    expect(actual).toMatchObject(expected);
    return true;
  } catch {
    return false;
  }
}

async function checkAnswer(step: string, url: string, request: Step["request"], expected: Step["expected"]): Promise<Response> {
  const abort = new AbortController();
  const answer = await fetch(url, {
    method: request.method,
    // In UTF-8, while fetch would send one byte for each character: Spin refuses other bytes.
    headers: Object.entries(request.headers ?? {}).map(([name, value]) => [name, Buffer.from(value).toString("latin1")] as [string, string]),
    // Bytes, since a string would get a content type.
    body: request.body === undefined ? null : bytes(request.body),
    signal: abort.signal,
  });
  const body = await collect(answer, expected.bodyContains);
  abort.abort();
  expect(answer.status, `${step}: ${body}`).toBe(expected.status);
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    const found = answer.headers.get(name);
    if (value === null || typeof value === "string") expect(found, `${step}: ${name}`).toBe(value);
    else expect(found, `${step}: ${name}`).toContain(value.contains);
  }
  if (expected.body !== undefined) expect(body.equals(bytes(expected.body)), `${step}: body ${body}`).toBe(true);
  if (expected.bodyContains) expect(inOrder(body.toString(), expected.bodyContains), `${step}: body ${body}`).toBe(true);
  if (expected.json !== undefined) expect(JSON.parse(body.toString()), step).toEqual(expected.json);
  if (expected.problem !== undefined) {
    expect(answer.headers.get("content-type"), step).toMatch(/^application\/problem\+json/);
    expect(JSON.parse(body.toString()), step).toMatchObject({ type: `urn:tidewire:${expected.problem}`, status: expected.status, detail: expect.stringMatching(/./) });
  }
  if (expected.earliest !== undefined) expect(JSON.parse(body.toString()), step).toMatchObject({ earliest: expected.earliest });
  return answer;
}

/** The body to its end; of a stream, no more than what is expected of it. */
async function collect(answer: Response, pieces: string[] | undefined): Promise<Buffer> {
  let body = Buffer.alloc(0);
  for await (const chunk of answer.body ?? []) {
    body = Buffer.concat([body, chunk]);
    if (pieces && inOrder(body.toString(), pieces)) break;
  }
  return body;
}

function inOrder(text: string, pieces: string[]): boolean {
  let at = 0;
  return pieces.every((piece) => {
    const found = text.indexOf(piece, at);
    at = found + piece.length;
    return found >= 0;
  });
}

/** Decodes chunks of bytes with `eventsource-parser`. */
function decode(chunks: Uint8Array[]): { events: EventSourceMessage[]; retry: number | undefined } {
  const events: EventSourceMessage[] = [];
  let retry: number | undefined;
  const parser = createParser({ onEvent: (event) => events.push(event), onRetry: (milliseconds) => (retry = milliseconds) });
  const decoder = new TextDecoder();
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
  return { events, retry };
}

describe("sse vector", () => {
  test.each(sse.encode)("$id: $purpose", ({ given, expected }) => {
    const stream = bytes(expected.bytes);
    const data = bytes(given.data).toString().replace(/\r\n|\r/g, "\n");
    for (const chunks of [[stream], [...stream].map((byte) => Uint8Array.of(byte))]) {
      const { events } = decode(chunks);
      expect(events.map((event) => ({ ...event }))).toEqual([{ id: given.id, event: given.event, data }]);
    }
  });

  test.each(sse.decode)("$id: $purpose", ({ given, expected }) => {
    const { events, retry } = decode(given.chunks.map(bytes));
    expect(events.map(({ event, data }) => ({ event: event ?? "message", data }))).toEqual(
      expected.events.map(({ event, data }) => ({ event, data: bytes(data).toString() })),
    );
    expect(retry).toBe(expected.retry);
  });
});
