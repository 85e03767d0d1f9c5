// The publishers of a server: connections that stay open, with one publish at a time on each.

import { setTimeout as delay } from "node:timers/promises";
import { Connection } from "./connection.ts";
import { event } from "./event.ts";
import { Meter } from "./processor.ts";
import type { Served } from "./served.ts";
import { quantile } from "./spread.ts";

const JSON_TYPE = "Content-Type: application/json";
const WARM_UP_MS = 300;

export class Publishers {
  readonly #connections: Connection[];

  private constructor(connections: Connection[]) {
    this.#connections = connections;
  }

  static async open(served: Served, count: number): Promise<Publishers> {
    return new Publishers(await Promise.all(Array.from({ length: count }, () => Connection.open(served.port))));
  }

  /** Publishes this body by each connection at once. Resolves when all are acknowledged. */
  async publishAll(path: string, body: () => string): Promise<void> {
    await Promise.all(this.#connections.map((connection) => publish(connection, path, body())));
  }

  /** Publishes so many bodies, on whichever connection is free; `path` gets the number of each. */
  async publishEach(count: number, path: (number: number) => string, body: () => string): Promise<void> {
    let next = 0;
    await Promise.all(
      this.#connections.map(async (connection) => {
        while (next < count) await publish(connection, path((next += 1)), body());
      }),
    );
  }

  close(): void {
    this.#connections.forEach((connection) => connection.close());
  }
}

async function publish(connection: Connection, path: string, body: string, headers: string[] = []): Promise<void> {
  const { status } = await connection.request("POST", path, [JSON_TYPE, ...headers], body);
  if (status >= 300) throw new Error(`a publish to ${path} answered ${status}`);
}

export interface Appending {
  publishers: number;
  /** The path of a publish; `number` counts them. */
  path: (number: number) => string;
  ms: number;
  /** Further headers of each publish. */
  headers?: () => string[];
}

/** The cost of appends: every publisher sends its next event when the one before is acknowledged. */
export async function append(served: Served, { publishers, path, ms, headers = () => [] }: Appending): Promise<{ cost: number; p50: number; p99: number; rate: number }> {
  const connections = await Promise.all(Array.from({ length: publishers }, () => Connection.open(served.port)));
  let [number, stopped] = [0, false];
  let times: number[] = [];
  const loops = Promise.all(
    connections.map(async (connection) => {
      while (!stopped) {
        const target = path((number += 1));
        const more = headers();
        const begin = performance.now();
        await publish(connection, target, event(), more);
        times.push(performance.now() - begin);
      }
    }),
  );
  try {
    await Promise.race([loops, delay(WARM_UP_MS)]);
    const meter = new Meter(served.pids);
    const begin = performance.now();
    times = [];
    await Promise.race([loops, delay(ms)]);
    const [cost, seconds, taken] = [meter.read() / times.length, (performance.now() - begin) / 1_000, times];
    stopped = true;
    await loops;
    return { cost, p50: quantile(taken, 0.5), p99: quantile(taken, 0.99), rate: taken.length / seconds };
  } finally {
    stopped = true;
    connections.forEach((connection) => connection.close());
  }
}
