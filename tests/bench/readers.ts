// The readers of a server: many at once, of one kind, who count what they get and how long it took.

import { field } from "./answers.ts";
import { Connection } from "./connection.ts";
import { Scanner } from "./event.ts";
import type { Served } from "./served.ts";
import { within } from "./within.ts";

/** `socket` offers no subprotocol; `tidewire.v1` does, and acknowledges. `sse-bytes` is a stream of events that are no text. */
export type Kind = "socket" | "tidewire.v1" | "sse" | "sse-bytes" | "long-poll";

/** How many connect at once. Spin starts an instance whenever all are busy. */
const ARRIVING = 20;
/** A delivery that takes longer is lost. */
const LIMIT_MS = 60_000;
const OPENING_LIMIT_MS = 30_000;
/** Bytes after which a reader of `tidewire.v1` acknowledges, as SOCKET_ACK_BYTES has it by default. */
const ACK_BYTES = 262_144;

const UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
const HEADERS: Record<Exclude<Kind, "long-poll">, string[]> = {
  socket: UPGRADE,
  "tidewire.v1": [...UPGRADE, "Sec-WebSocket-Protocol: tidewire.v1"],
  sse: ["Accept: text/event-stream"],
  "sse-bytes": ["Accept: text/event-stream"],
};

export interface Reading {
  kind: Kind;
  count: number;
  /** The path that a reader asks for. */
  path: (reader: number) => string;
}

export class Readers {
  /** Events that all readers together have got. */
  delivered = 0;
  latencies: number[] = [];
  readonly #connections: Connection[] = [];
  #isClosing = false;
  #fault: Error | undefined;
  #awaited: { total: number; reached(): void; failed(error: Error): void } | undefined;

  static async open(served: Served, { kind, count, path }: Reading): Promise<Readers> {
    const readers = new Readers();
    for (let first = 0; first < count; first += ARRIVING) {
      const arriving = Array.from({ length: Math.min(ARRIVING, count - first) }, (_, index) => readers.#open(served.port, kind, path(first + index)));
      await within(OPENING_LIMIT_MS, () => `${readers.count} of ${count} readers have an answer`, Promise.all(arriving));
    }
    return readers;
  }

  get count(): number {
    return this.#connections.length;
  }

  /** Resolves when so many events have been delivered since `reset`. */
  async reached(total: number): Promise<void> {
    const reached = new Promise<void>((reached, failed) => (this.#awaited = { total, reached, failed }));
    this.#look();
    try {
      await within(LIMIT_MS, () => `${this.delivered} of ${total} deliveries came`, reached);
    } finally {
      this.#awaited = undefined;
    }
  }

  /** Sends a frame by the socket of a reader. */
  send(reader: number, frame: Uint8Array): void {
    this.#connections[reader]!.frame(frame);
  }

  reset(): void {
    this.delivered = 0;
    this.latencies = [];
  }

  close(): void {
    this.#isClosing = true;
    this.#connections.forEach((connection) => connection.close());
  }

  async #open(port: number, kind: Kind, path: string): Promise<void> {
    const connection = await Connection.open(port);
    this.#connections.push(connection);
    const scanner = new Scanner((latencyMs) => {
      this.delivered += 1;
      this.latencies.push(latencyMs);
    });
    connection.ended = () => this.#fail(new Error("the server ended the connection of a reader"));
    const scan = (piece: Buffer) => scanner.scan(piece);
    const read = kind === "sse-bytes" ? decoded(scan) : scan;
    connection.body = (piece) => {
      read(piece);
      this.#look();
    };
    if (kind === "long-poll") {
      void this.#poll(connection, path);
      return;
    }
    if (kind === "tidewire.v1") acknowledge(connection);
    const { status } = await connection.stream(path, HEADERS[kind]);
    if (status !== (kind.startsWith("sse") ? 200 : 101)) throw new Error(`${path} answered a reader with ${status}`);
  }

  async #poll(connection: Connection, path: string): Promise<void> {
    try {
      for (let offset = "now"; !this.#isClosing; ) {
        const answer = await connection.request("GET", `${path}?offset=${offset}&live=long-poll`);
        if (answer.status >= 300) throw new Error(`${path} answered a long poll with ${answer.status}`);
        offset = field(answer, "stream-next-offset") ?? offset;
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #look(): void {
    if (this.#fault) this.#awaited?.failed(this.#fault);
    else if (this.#awaited && this.delivered >= this.#awaited.total) this.#awaited.reached();
  }

  #fail(error: Error): void {
    if (this.#isClosing) return;
    this.#fault ??= error;
    this.#look();
  }
}

/** The events of a stream that holds bytes: base64, beside control events in JSON. */
export function decoded(scan: (piece: Buffer) => void): (piece: Buffer) => void {
  let kept = "";
  return (piece) => {
    const lines = `${kept}${piece.toString("latin1")}`.split("\n");
    kept = lines.pop()!;
    for (const line of lines) if (/^data: ?[^{]/.test(line)) scan(Buffer.from(line.slice("data:".length), "base64"));
  };
}

function acknowledge(connection: Connection): void {
  const { body } = connection;
  let unacknowledged = 0;
  connection.body = (piece) => {
    body(piece);
    unacknowledged += piece.length;
    if (unacknowledged < ACK_BYTES) return;
    const newest = [...piece.toString("latin1").matchAll(/"offset":"([^"]+)"/g)].at(-1)?.[1];
    if (!newest) return;
    connection.frame(`{"type":"ack","offset":"${newest}"}`);
    unacknowledged = 0;
  };
}
