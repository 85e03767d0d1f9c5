// Two Spin hosts on one Redis, as behind a load balancer.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "./redis.ts";
import { OUTPUT, Server } from "./server.ts";

export class Pair {
  readonly #folder: string;
  readonly redis: Redis;
  hosts: Server[] = [];

  private constructor(folder: string, redis: Redis) {
    this.#folder = folder;
    this.redis = redis;
  }

  /** Each flag as `redis-server` takes it. */
  static async start(name: string, vars: Record<string, string>, ...flags: string[]): Promise<Pair> {
    const folder = mkdtempSync(join(OUTPUT, "state", `${name}-redis-`));
    const pair = new Pair(folder, await Redis.start(folder, ...flags));
    try {
      for (const which of ["a", "b"]) pair.hosts.push(await Server.start({ name: `${name}-${which}`, store: pair.redis.url, vars }));
    } catch (error) {
      await pair.stop();
      throw error;
    }
    return pair;
  }

  /** The addresses of the first host and of the second. */
  get urls(): [string, string] {
    return this.hosts.map(({ url }) => url) as [string, string];
  }

  async stop(): Promise<void> {
    try {
      for (const host of this.hosts) await host.stop();
    } finally {
      await this.redis.stop();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }
}
