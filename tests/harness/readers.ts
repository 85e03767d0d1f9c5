// One reader per transport behind one interface, written from PROTOCOL.md alone.
//
// A reader follows a channel over one transport from an offset on and stops when its connection breaks.
// Another reader, of any transport, resumes from `offset`.

import { createParser } from "eventsource-parser";
import { setTimeout as delay } from "node:timers/promises";
import { offers } from "./platform.ts";

export type Transport = "websocket" | "sse" | "long-poll" | "poll";

/** Those that the platform under test has. */
export const TRANSPORTS: readonly Transport[] = [...(offers("websocket") ? (["websocket"] as const) : []), "sse", "long-poll", "poll"];

export interface Gap {
  requested: string;
  earliest: string;
}

export interface Member {
  id: string;
  /** `null` for one that left. */
  state: Record<string, unknown> | null;
}

/** A frame of the server over `tidewire.v1`. */
export type ServerFrame =
  | { type: "hello"; protocol: string; offset: string; contentType: string; ackBytes?: number }
  | { type: "events"; events: { offset: string; data: unknown }[]; upToDate?: boolean }
  | { type: "ack"; id: string; offset: string }
  | { type: "error"; id?: string; code: string; status: number; detail: string; retryAfterMs?: number; expectedSeq?: number; epoch?: number }
  | ({ type: "gap" } & Gap)
  | { type: "presence"; snapshot?: true; members: Member[] }
  | { type: "closed"; offset: string }
  | { type: "close"; code: number; reason: string };

export interface Reader {
  readonly transport: Transport;
  /** The data of the events received, in order of arrival. */
  readonly events: unknown[];
  readonly gaps: Gap[];
  /** The number of its connections or polls. The reader reopens an SSE stream that the server ended. */
  readonly requests: number;
  /** Comments seen on SSE streams. */
  readonly heartbeats: number;
  /** The offset to resume from: that of the newest received event. */
  readonly offset: string;
  /** How it ended: `finished`, `closed CODE`, `status CODE`, or the error of a broken connection. */
  readonly ended: Promise<string>;
  close(): void;
}

/** Time between two short polls. */
const POLL_MS = 50;

class State implements Reader {
  readonly transport: Transport;
  readonly events: unknown[] = [];
  readonly gaps: Gap[] = [];
  readonly abort = new AbortController();
  requests = 0;
  heartbeats = 0;
  offset: string;
  ended!: Promise<string>;

  constructor(transport: Transport, offset: string) {
    this.transport = transport;
    this.offset = offset;
  }

  close(): void {
    this.abort.abort(new Error("closed by the reader"));
  }

  gap(gap: Gap): void {
    this.gaps.push({ requested: gap.requested, earliest: gap.earliest });
    this.offset = gap.earliest;
  }
}

/** Reads `channel` (its URL) from `offset` on. */
export function read(transport: Transport, channel: string, offset = "-1"): Reader {
  const reader = new State(transport, offset);
  const follow = { websocket: followSocket, sse: followStream, "long-poll": followPolls, poll: followPolls }[transport];
  reader.ended = follow(reader, channel).catch(brokenBy);
  return reader;
}

export function webSocketUrl(channel: string, query: Record<string, string> = {}): string {
  const url = new URL(channel);
  url.protocol = url.protocol.replace("http", "ws");
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

/** The pause between two connections, so that a reader does not flood a server that is away. */
const RETURN_MS = 50;

/**
 * Follows a channel over one connection after the other, each of the next of `transports`, from where the last one was.
 *
 * The reader leaves a connection without data for `silenceMs`: a stalled connection does not break by itself.
 */
export class LastingReader {
  /** Events received, by transport. */
  readonly deliveries: Record<Transport, number> = { websocket: 0, sse: 0, "long-poll": 0, poll: 0 };
  /** How often it came back. */
  returns = 0;
  readonly #past: unknown[] = [];
  readonly #pastGaps: Gap[] = [];
  #reader: Reader | undefined;
  #isClosed = false;

  constructor(channel: string, transports: readonly Transport[], silenceMs = 8_000) {
    void this.#follow(channel, transports, silenceMs);
  }

  get events(): unknown[] {
    return [...this.#past, ...(this.#reader?.events ?? [])];
  }

  get gaps(): Gap[] {
    return [...this.#pastGaps, ...(this.#reader?.gaps ?? [])];
  }

  get count(): number {
    return this.#past.length + (this.#reader?.events.length ?? 0);
  }

  /** Leaves the connection; the next one is of another transport. */
  change(): void {
    this.#reader?.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#reader?.close();
  }

  async #follow(channel: string, transports: readonly Transport[], silenceMs: number): Promise<void> {
    for (let offset = "-1"; !this.#isClosed; this.returns += 1) {
      const reader = read(transports[this.returns % transports.length]!, channel, offset);
      this.#reader = reader;
      await Promise.race([reader.ended, this.#silent(reader, silenceMs)]);
      // The events that an abandoned connection may still bring belong to the next connection.
      this.#reader = undefined;
      reader.close();
      this.#past.push(...reader.events);
      this.#pastGaps.push(...reader.gaps);
      this.deliveries[reader.transport] += reader.events.length;
      offset = reader.offset;
      await delay(RETURN_MS);
    }
  }

  async #silent(reader: Reader, silenceMs: number): Promise<void> {
    for (let heard = -1; this.#reader === reader; ) {
      const now = reader.events.length + reader.heartbeats + reader.requests;
      if (now === heard) return;
      heard = now;
      await delay(silenceMs, undefined, { ref: false });
    }
  }
}

function followSocket(reader: State, channel: string): Promise<string> {
  return new Promise((ended) => {
    reader.requests += 1;
    const socket = new WebSocket(webSocketUrl(channel, { offset: reader.offset }), "tidewire.v1");
    reader.abort.signal.addEventListener("abort", () => socket.close());
    // Node fires no `close` when the connection breaks within the handshake.
    socket.addEventListener("error", () => ended("broken: the WebSocket failed"));
    socket.addEventListener("close", ({ code }) => ended(`closed ${code}`));
    let ackBytes = Infinity;
    let unacknowledged = 0;
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(data as string) as ServerFrame;
      if (frame.type === "hello") ackBytes = frame.ackBytes ?? Infinity;
      if (frame.type === "gap") reader.gap(frame);
      if (frame.type === "closed") ended("finished");
      if (frame.type === "close") ended(`closed ${frame.code}`);
      if (frame.type !== "events") return;
      for (const event of frame.events) {
        reader.events.push(event.data);
        reader.offset = event.offset;
      }
      unacknowledged += (data as string).length;
      if (unacknowledged < ackBytes) return;
      unacknowledged = 0;
      socket.send(JSON.stringify({ type: "ack", offset: reader.offset }));
    });
  });
}

async function followStream(reader: State, channel: string): Promise<string> {
  // The server ends a stream cleanly after a while; as an EventSource does, the reader comes back where it was.
  for (;;) {
    reader.requests += 1;
    const answer = await fetch(`${channel}?offset=${reader.offset}`, {
      headers: { accept: "text/event-stream" },
      signal: reader.abort.signal,
    });
    if (answer.status === 204) return "finished";
    if (answer.status !== 200) return `status ${answer.status}`;
    const parser = createParser({
      onEvent({ event, id, data }) {
        if (event === "gap") reader.gap(JSON.parse(data) as Gap);
        if (event !== undefined) return;
        reader.events.push(JSON.parse(data));
        reader.offset = id!;
      },
      onComment: () => (reader.heartbeats += 1),
    });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body!) parser.feed(decoder.decode(chunk, { stream: true }));
  }
}

async function followPolls(reader: State, channel: string): Promise<string> {
  const live = reader.transport === "long-poll" ? "&live=long-poll" : "";
  for (;;) {
    reader.requests += 1;
    const answer = await fetch(`${channel}?offset=${reader.offset}${live}`, { signal: reader.abort.signal });
    if (answer.status === 410) {
      const { earliest } = (await answer.json()) as { earliest: string };
      reader.gap({ requested: reader.offset, earliest });
      continue;
    }
    if (answer.status !== 200 && answer.status !== 204) return `status ${answer.status}`;
    // The whole body first: half a page moves nothing.
    const page = answer.status === 200 ? ((await answer.json()) as unknown[]) : [];
    reader.events.push(...page);
    reader.offset = answer.headers.get("stream-next-offset") ?? reader.offset;
    if (answer.headers.has("stream-closed")) return "finished";
    if (!live) await delay(POLL_MS, undefined, { signal: reader.abort.signal });
  }
}

/** The innermost cause says more than fetch's `TypeError: fetch failed`. */
function brokenBy(error: unknown): string {
  const cause = (error as Error).cause;
  return cause instanceof Error ? brokenBy(cause) : `broken: ${(error as Error).message}`;
}
