// Readers that stop reading during many publishes: the runtime buffers a bounded part for each reader, no other reader waits, and they resume.

import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { residentBytes } from "../harness/host.ts";
import { read, type Reader, type Transport } from "../harness/readers.ts";
import { Stall } from "../harness/stall.ts";
import { describeOwnServer, freshName, numbers, publishAll, useOwnServer } from "../harness/suite.ts";

const STALLED = 8;
const EVENT_BYTES = 50_000;
const BATCH = 20;
const BATCHES = 50;
const EVENTS = BATCH * BATCHES;
const PUBLISHED_BYTES = EVENTS * EVENT_BYTES;
/** The most that the runtime may grow by: half of what the stalled readers lack. Most of it is garbage that is not collected yet. */
const BOUND_BYTES = (STALLED * PUBLISHED_BYTES) / 2;

/** Reads over one transport, and reconnects from its offset after each end. */
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
