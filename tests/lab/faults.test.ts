// A server that breaks, while 20 publishers and 100 readers work in 10 rooms: each reader gets each event once and in order.

import { expect, test } from "vitest";
import { counters, recycle, trap } from "../harness/host.ts";
import { READERS, startStorm } from "../harness/storm.ts";
import { describeOwnServer, numbers, useOwnServer } from "../harness/suite.ts";

const RESTARTS = 3;
const EVICTION_ROUNDS = 4;
const TRAP_ROUNDS = 10;

describeOwnServer("faults", () => {
  const server = useOwnServer("faults", { HEARTBEAT_MS: "1000" });

  test(`${RESTARTS} restarts, cuts and changes of transport lose nothing`, { timeout: 240_000 }, async () => {
    const { proxy, storm } = await startStorm(server);
    for (const _ of numbers(1, RESTARTS)) {
      await storm.progress(100);
      storm.change(50);
      await storm.progress(100);
      proxy.cut();
      await storm.progress(100);
      await server.kill9();
      await server.restart();
    }
    await storm.progress(100);
    await storm.settle();
    console.log(`${RESTARTS} restarts: ${storm}`);
    expect(storm.returns).toBeGreaterThan(READERS);
  });

  test("evictions of Durable Objects, with and without their sockets, lose nothing", { timeout: 240_000, tags: ["durable-objects"] }, async () => {
    const { storm } = await startStorm(server);
    const before = server.wakes("FeedChannel");
    for (const round of numbers(1, EVICTION_ROUNDS)) {
      for (const room of storm.rooms) {
        await storm.progress(15);
        await server.evict("FeedChannel", room, round % 2 === 0 ? "close" : "hibernate");
      }
    }
    await storm.settle();
    const evictions = EVICTION_ROUNDS * storm.rooms.length;
    const wakes = server.wakes("FeedChannel") - before;
    console.log(`${evictions} evictions, ${wakes} wakes: ${storm}`);
    expect(wakes).toBeGreaterThanOrEqual(evictions);
    expect(storm.returns).toBeGreaterThan(0);
  });

  test("instances of a component that are recycled, and trapped all at once, lose nothing", { timeout: 240_000, tags: ["host-counters"] }, async () => {
    const { storm } = await startStorm(server);
    const before = await counters(server);
    for (const _ of numbers(1, TRAP_ROUNDS)) {
      await storm.progress(15);
      await recycle(server);
      await storm.progress(15);
      // All of them: only then publishes and streams are hit for sure, and not one that has just answered.
      const { instances_active } = await counters(server);
      for (const _ of numbers(1, instances_active)) await trap(server);
    }
    await storm.settle();
    const { traps, instances_started } = await counters(server);
    console.log(`${traps - before.traps} traps, ${instances_started - before.instances_started} instances: ${storm}`);
    expect(traps - before.traps).toBeGreaterThanOrEqual(TRAP_ROUNDS);
    expect(storm.returns).toBeGreaterThan(READERS);
  });
});
