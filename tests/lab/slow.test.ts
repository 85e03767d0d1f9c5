// Readers that stop reading while much is published: the runtime holds a bounded part of it for each, nobody waits for them, and they resume.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { residentBytes } from "../harness/host.ts";
import { read, type Reader, type Transport } from "../harness/readers.ts";
import { describeOwnServer, freshName, numbers, publishAll, useOwnServer } from "../harness/suite.ts";

const STALLED = 8;
const EVENT_BYTES = 50_000;
const BATCH = 20;
const BATCHES = 50;
const EVENTS = BATCH * BATCHES;
const PUBLISHED_BYTES = EVENTS * EVENT_BYTES;
/** What the runtime may grow by: half of what the stalled readers lack. Most of it is what garbage collectors have not come to yet. */
const BOUND_BYTES = (STALLED * PUBLISHED_BYTES) / 2;

/** A TCP proxy that stops taking bytes from the server, as a client does whose application does not read. */
class Stall {
  readonly url: string;
  readonly #servers: Set<Socket>;

  private constructor(url: string, servers: Set<Socket>) {
    this.url = url;
    this.#servers = servers;
  }

  static async start(port: number): Promise<Stall> {
    const servers = new Set<Socket>();
    const listener = createServer((client) => {
      const server = connect(port, "127.0.0.1");
      servers.add(server);
      server.on("data", (chunk) => client.write(chunk));
      client.on("data", (chunk) => server.write(chunk));
      for (const [socket, other] of [[client, server], [server, client]] as const) {
        socket.on("error", () => {});
        socket.on("end", () => other.end());
        socket.on("close", () => {
          other.destroy();
          servers.delete(server);
        });
      }
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    onTestFinished(() => {
      listener.close();
      for (const server of servers) server.destroy();
    });
    return new Stall(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`, servers);
  }

  stop(): void {
    for (const server of this.#servers) server.pause();
  }

  goOn(): void {
    for (const server of this.#servers) server.resume();
  }
}

/** Reads over one transport, connecting anew from its offset whenever it is sent away. */
function follow(transport: Transport, channel: string): { readonly events: unknown[]; readonly connections: number } {
  const readers: Reader[] = [];
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
    readers.at(-1)!.close();
  });
  const go = (offset: string): void => {
    const reader = read(transport, channel, offset);
    readers.push(reader);
    void reader.ended.then(() => isOver || go(reader.offset));
  };
  go("-1");
  return {
    get events() {
      return readers.flatMap(({ events }) => events);
    },
    get connections() {
      return readers.reduce((count, { requests }) => count + requests, 0);
    },
  };
}

describeOwnServer("slow readers", () => {
  const server = useOwnServer("slow", { RETENTION_MAX_BYTES: String(4 * PUBLISHED_BYTES) });

  for (const transport of ["websocket", "sse"] as const) {
    const tags = transport === "websocket" ? ["websocket"] : [];

    test(`${STALLED} readers by ${transport} that stop reading cost bounded memory, delay nobody and lose nothing`, { timeout: 240_000, tags }, async () => {
      const name = freshName();
      const direct = `${server.url}/feed/${name}`;
      const stall = await Stall.start(server.port);
      const slow = numbers(1, STALLED).map(() => follow(transport, `${stall.url}/feed/${name}`));
      const quick = follow(transport, direct);
      await publishAll(direct, [0]);
      const number = (data: unknown): number => (data === 0 ? 0 : (data as { number: number }).number);
      await eventually("everyone has the first event", () => [...slow, quick].every(({ events }) => events.length === 1));

      stall.stop();
      const before = residentBytes(server);
      let most = before;
      for (const batch of numbers(0, BATCHES - 1)) {
        const events = numbers(batch * BATCH + 1, (batch + 1) * BATCH).map((number) => ({ number, text: "x".repeat(EVENT_BYTES) }));
        await publishAll(direct, events);
        await eventually("the quick reader has it while the others stand still", () => quick.events.length === (batch + 1) * BATCH + 1);
        most = Math.max(most, residentBytes(server));
      }
      const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
      const growth = most - before;
      console.log(`${transport}: ${STALLED} stalled readers, ${megabytes(PUBLISHED_BYTES)} published: ${megabytes(before)} resident, at most ${megabytes(growth)} more`);
      expect(growth).toBeLessThan(BOUND_BYTES);
      for (const { events } of slow) expect(events.length).toBeLessThan(EVENTS / 2);

      stall.goOn();
      await eventually("the slow readers have all", () => slow.every(({ events }) => events.length > EVENTS), 120_000);
      for (const { events } of [...slow, quick]) expect(events.map(number)).toEqual(numbers(0, EVENTS));
      console.log(`${transport}: they resumed over ${slow.reduce((count, { connections }) => count + connections, 0) / STALLED} connections each`);
    });
  }
});
