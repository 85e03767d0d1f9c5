// A deploy under many readers: native EventSources come back by themselves, not all at once, and have missed nothing.

import { EventSource, type FetchLike } from "eventsource";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { Publisher } from "../harness/publisher.ts";
import { randomFrom } from "../harness/random.ts";
import { read } from "../harness/readers.ts";
import { describeOwnServer, freshName, numbers, useOwnServer } from "../harness/suite.ts";

const READERS = 1_000;
const ROOMS = 10;
/** Readers that come at once at first: Spin starts an instance whenever all it has are busy. */
const ARRIVING = 50;
const PAUSE_MS = 3_000;
const RETRY_MS = 2_000;
/** Most readers that may get a `retry:` within the same tenth of the time; a tenth of them should. */
const MOST_IN_A_TENTH = 0.2;

describeOwnServer("redeploy", () => {
  const server = useOwnServer("redeploy", { RETRY_MS: String(RETRY_MS) });

  test(`${READERS} EventSources reconnect after SIGTERM and after SIGKILL, spread by their \`retry:\``, { timeout: 240_000 }, async () => {
    const rooms = numbers(1, ROOMS).map(() => `${server.url}/feed/${freshName()}`);
    const publishers = rooms.map((room, index) => new Publisher(room, index, randomFrom(index)));
    const readers: Source[] = [];
    onTestFinished(() => {
      publishers.forEach((publisher) => publisher.stop());
      readers.forEach((reader) => reader.close());
    });
    await Promise.all(publishers.map((publisher) => publisher.publish()));
    for (const index of numbers(0, READERS - 1)) {
      readers.push(new Source(rooms[index % ROOMS]!));
      if (readers.length % ARRIVING === 0) await eventually("those are connected", () => readers.every(({ events }) => events.length > 0));
    }
    const publishing = Promise.all(publishers.map((publisher) => publisher.run(PAUSE_MS)));

    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      for (const reader of readers) reader.returns.length = 0;
      const before = readers.map(({ connections }) => connections);
      await server.end(signal);
      const ended = performance.now();
      await eventually("every reader has lost its connection", () => readers.every(({ isOpen }) => !isOpen));
      await server.restart();
      const ready = performance.now();
      await eventually("every reader is back", () => readers.every(({ isOpen, connections }, index) => isOpen && connections > before[index]!), 120_000);
      const seconds = (since: number) => ((performance.now() - since) / 1_000).toFixed(1);
      const firsts = readers.map(({ returns }) => returns[0]!);
      const told = shares(firsts.map(({ toldMs }) => toldMs));
      const dialled = shares(firsts.map(({ afterMs }) => afterMs));
      console.log(
        [
          `${signal}: all ${READERS} resumed ${seconds(ended)} s after the end, ${seconds(ready)} s after the server was ready again`,
          `told to come back, percent for each tenth: ${inWords(told)}; did at first: ${inWords(dialled)}; opened anew: ${readers.reduce((sum, { reopened }) => sum + reopened, 0)}`,
        ].join("\n"),
      );
      expect(Math.max(...told)).toBeLessThanOrEqual(MOST_IN_A_TENTH);
      // No reader reconnects earlier than its `retry:`. Timers may be a millisecond early.
      expect(readers.flatMap(({ returns }) => returns).filter(({ toldMs, afterMs }) => afterMs < toldMs - 2)).toEqual([]);
    }

    publishers.forEach((publisher) => publisher.stop());
    await publishing;
    for (const [index, room] of rooms.entries()) {
      const stored = read("poll", room);
      onTestFinished(() => stored.close());
      const count = publishers[index]!.acknowledged;
      await eventually("what was acknowledged is read", () => stored.events.length >= count);
      stored.close();
      expect(stored.events.map((note) => (note as { number: number }).number)).toEqual(numbers(0, count - 1));
      for (const reader of readers.filter((_, reader) => reader % ROOMS === index)) {
        await eventually("a reader has every event", () => reader.events.length >= count, 60_000);
        expect(reader.events).toEqual(stored.events);
      }
    }
  });
});

/** How many of the readers fall into each tenth of the time over which they are spread, half of RETRY_MS to either side; a reader outside counts at the nearer end. */
function shares(waits: number[]): number[] {
  const tenths = waits.map((ms) => Math.min(9, Math.max(0, Math.floor(((ms - RETRY_MS / 2) / RETRY_MS) * 10))));
  return numbers(0, 9).map((tenth) => tenths.filter((other) => other === tenth).length / waits.length);
}

function inWords(shares: number[]): string {
  return shares.map((share) => (share * 100).toFixed(0)).join(" ");
}

/** An EventSource, and its `retry:`. */
class Source {
  readonly events: unknown[] = [];
  /** For each connection that ended: its `retry:`, and the time from its end to the next request. */
  readonly returns: { toldMs: number; afterMs: number }[] = [];
  connections = 0;
  /** How often the server answered with an error, which ends an EventSource for good, and the test opened a new EventSource. */
  reopened = 0;
  readonly #channel: string;
  #source: EventSource;
  #toldMs = 0;
  #endedAt: number | undefined;
  #offset = "-1";
  #isClosed = false;

  constructor(channel: string) {
    this.#channel = channel;
    this.#source = this.#open();
  }

  get isOpen(): boolean {
    return this.#source.readyState === EventSource.OPEN;
  }

  close(): void {
    this.#isClosed = true;
    this.#source.close();
  }

  #open(): EventSource {
    const source = new EventSource(`${this.#channel}?offset=${this.#offset}`, { fetch: this.#fetch });
    source.addEventListener("open", () => (this.connections += 1));
    source.addEventListener("message", ({ data, lastEventId }) => {
      this.events.push(JSON.parse(data as string));
      this.#offset = lastEventId;
    });
    source.addEventListener("error", () => {
      this.#endedAt = performance.now();
      if (source.readyState !== EventSource.CLOSED || this.#isClosed) return;
      this.reopened += 1;
      this.#endedAt = undefined;
      setTimeout(() => (this.#source = this.#open()), RETRY_MS);
    });
    return source;
  }

  readonly #fetch: FetchLike = async (url, init) => {
    if (this.#endedAt !== undefined) this.returns.push({ toldMs: this.#toldMs, afterMs: performance.now() - this.#endedAt });
    this.#endedAt = undefined;
    const { status, headers, redirected, url: from, body } = await fetch(url, init);
    return { status, headers, redirected, url: from, body: body && this.#tap(body) };
  };

  /** Looks for `retry:`, the first line of a stream, in what the EventSource reads. */
  #tap(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    let head: string | undefined = "";
    return body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, passed) => {
          passed.enqueue(chunk);
          if (head === undefined) return;
          head += Buffer.from(chunk).toString("latin1");
          if (!head.includes("\n")) return;
          this.#toldMs = Number(/^retry:(\d+)\n/.exec(head)![1]);
          head = undefined;
        },
      }),
    );
  }
}
