// Publishers and readers of many channels at once, and the proof that every reader got all events of its channel.

import { expect, onTestFinished } from "vitest";
import { subscribe, type Subscription, type TidewireError } from "../../shared/client/src/index.ts";
import { eventually } from "./eventually.ts";
import { Publisher, type Note } from "./publisher.ts";
import { pick, type Random } from "./random.ts";
import { LastingReader, read, TRANSPORTS, type Transport } from "./readers.ts";
import { freshName, numbers } from "./suite.ts";

const ROOMS = 10;
const PUBLISHERS = 20;
export const READERS = 100;

/** Longest pause of a publisher between two events. */
const PAUSE_MS = 200;
/** Longest time until a reader notices a stalled connection: a minute, with the client's long poll. */
const CALM_MS = 120_000;

/** One reader of a storm, ours or the client of `shared/client`. */
interface Follower {
  readonly count: number;
  readonly events: unknown[];
  readonly gaps: unknown[];
  readonly deliveries: Record<Transport, number>;
  /** How often it came back. */
  readonly returns: number;
  /** Why it gave up. */
  readonly failure?: TidewireError | undefined;
  change(): void;
  close(): void;
}

export class Storm {
  readonly rooms = numbers(1, ROOMS).map(() => freshName());
  readonly #publishers: Publisher[];
  readonly #readers: Follower[];
  readonly #random: Random;
  readonly #server: string;
  #publishing: Promise<unknown>;

  /** Publishers and readers go through `proxies`, spread evenly; the test reads the final events from `server` itself. The storm ends with the test. */
  constructor(server: string, proxies: string | string[], random: Random) {
    this.#server = server;
    this.#random = random;
    const all = [proxies].flat();
    const room = (index: number, turn: number) => `${all[turn % all.length]}/feed/${this.rooms[index % ROOMS]}`;
    this.#publishers = numbers(0, PUBLISHERS - 1).map((index) => new Publisher(room(index, Math.floor(index / ROOMS)), index, random));
    this.#readers = numbers(0, READERS - 1).map((index) => {
      // In each room half of the readers are ours and half the client, and each begins with another transport.
      const turn = Math.floor(index / ROOMS);
      const first = (turn >> 1) % TRANSPORTS.length;
      const transports = [...TRANSPORTS.slice(first), ...TRANSPORTS.slice(0, first)];
      const channel = room(index, turn >> 1);
      return turn % 2 === 0 ? new LastingReader(channel, transports) : new Client(channel, transports);
    });
    onTestFinished(() => {
      this.#publishers.forEach((publisher) => publisher.stop());
      this.#readers.forEach((reader) => reader.close());
    });
    this.#publishing = Promise.all(this.#publishers.map((publisher) => publisher.run(PAUSE_MS)));
    // Looked at in `settle`; until then a failure must not end the process.
    this.#publishing.catch(() => {});
  }

  get acknowledged(): number {
    return this.#publishers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  /** How often readers came back. */
  get returns(): number {
    return this.#readers.reduce((sum, { returns }) => sum + returns, 0);
  }

  /** Waits until so many more events are acknowledged. */
  async progress(events: number): Promise<void> {
    const goal = this.acknowledged + events;
    await Promise.race([this.#publishing, eventually(`${events} more events are acknowledged`, () => this.acknowledged >= goal, 60_000)]);
  }

  /** This number of readers continues over another transport. */
  change(readers: number): void {
    for (const _ of numbers(1, readers)) pick(this.#random, this.#readers).change();
  }

  /**
   * Ends the publishing and waits for all readers. Each of them has to have exactly what its channel holds, which has to be exactly what
   * was acknowledged, each publisher's events in its order.
   */
  async settle(): Promise<void> {
    this.#publishers.forEach((publisher) => publisher.stop());
    await this.#publishing;
    for (const [index, room] of this.rooms.entries()) {
      const publishers = this.#publishers.filter((publisher) => publisher.index % ROOMS === index);
      const acknowledged = publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0);
      // One more when all is over, so that an event that comes twice at the end is seen too.
      await new Publisher(`${this.#server}/feed/${room}`, PUBLISHERS, this.#random).publish();
      const stored = await this.#read(room, acknowledged + 1);
      for (const publisher of publishers) {
        const own = stored.filter((note) => note.publisher === publisher.index).map(({ number }) => number);
        expect(own, `what publisher ${publisher.index} wrote`).toEqual(numbers(0, publisher.acknowledged - 1));
      }
      expect(stored).toHaveLength(acknowledged + 1);
      for (const [turn, reader] of this.#readers.filter((_, reader) => reader % ROOMS === index).entries()) {
        await eventually(`reader ${turn} of room ${index} has ${stored.length} events`, () => reader.failure !== undefined || reader.count >= stored.length, CALM_MS);
        expect(reader.failure).toBeUndefined();
        expect(reader.gaps).toEqual([]);
        expect(reader.events, `reader ${turn} of room ${index}`).toEqual(stored);
      }
    }
  }

  async #read(room: string, count: number): Promise<Note[]> {
    const reader = read("poll", `${this.#server}/feed/${room}`);
    onTestFinished(() => reader.close());
    await eventually(`room ${room} has what was acknowledged`, () => reader.events.length >= count);
    reader.close();
    return reader.events as Note[];
  }

  /** A summary for people. */
  toString(): string {
    const sum = (transport: Transport) => this.#readers.reduce((all, { deliveries }) => all + deliveries[transport], 0);
    const answers = new Map<string, number>();
    for (const publisher of this.#publishers) for (const [answer, times] of publisher.failures) answers.set(answer, (answers.get(answer) ?? 0) + times);
    const resent = [...answers].map(([answer, times]) => `${times} after ${answer}`).join(", ");
    return [
      `${this.acknowledged} events of ${PUBLISHERS} publishers in ${ROOMS} rooms; sent again: ${resent || "none"}`,
      `deliveries to ${READERS} readers: ${TRANSPORTS.map((transport) => `${transport} ${sum(transport)}`).join(", ")}; came back ${this.returns} times`,
    ].join("\n");
  }
}

/** The client of `shared/client`, made to begin with another transport now and then. */
class Client implements Follower {
  readonly events: unknown[] = [];
  readonly gaps: unknown[] = [];
  readonly deliveries: Record<Transport, number> = { websocket: 0, sse: 0, "long-poll": 0, poll: 0 };
  returns = 0;
  failure: TidewireError | undefined;
  readonly #channel: string;
  #transports: Transport[];
  #subscription: Subscription;

  constructor(channel: string, transports: Transport[]) {
    this.#channel = channel;
    this.#transports = transports;
    this.#subscription = this.#open("-1");
  }

  get count(): number {
    return this.events.length;
  }

  change(): void {
    const { offset } = this.#subscription;
    this.#subscription.close();
    this.#transports = [...this.#transports.slice(1), this.#transports[0]!];
    this.#subscription = this.#open(offset);
  }

  close(): void {
    this.#subscription.close();
  }

  #open(offset: string): Subscription {
    return subscribe(this.#channel, {
      offset,
      transports: this.#transports,
      pollMs: 200,
      backoff: { capMs: 2_000 },
      onEvent: ({ data }) => {
        this.events.push(data);
        this.deliveries[this.#subscription.transport] += 1;
      },
      onState: (state) => {
        if (state === "waiting") this.returns += 1;
      },
      onGap: (gap) => this.gaps.push(gap),
      onError: (error) => {
        if (!error.retryable) this.failure = error;
      },
    });
  }
}
