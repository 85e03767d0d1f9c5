// Everything that breaks, while 20 publishers and 100 readers work in 10 rooms: each reader gets each event once and in order.

import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { counters, recycle, trap } from "../harness/host.ts";
import { drawFault, Proxy } from "../harness/proxy.ts";
import { announcedSeed, randomFrom, type Random } from "../harness/random.ts";
import { READERS, Storm } from "../harness/storm.ts";
import { describeOwnServer, numbers, useOwnServer } from "../harness/suite.ts";

const FAULTS = 500;
/** Time between two faults that are given out; not each of them strikes. */
const FAULT_MS = 80;
const RESTARTS = 3;
const EVICTION_ROUNDS = 4;
const TRAP_ROUNDS = 10;

describeOwnServer("faults", () => {
  const server = useOwnServer("faults", { HEARTBEAT_MS: "1000" });

  /** A storm through a proxy, and the numbers that decide it. */
  async function start(): Promise<{ proxy: Proxy; storm: Storm; random: Random }> {
    const seed = announcedSeed();
    onTestFailed(() => console.log(`failed with TIDEWIRE_SEED=${seed}`));
    const random = randomFrom(seed);
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    // Of its own, so that the sequence of faults depends on nothing else.
    return { proxy, storm: new Storm(server.url, proxy.url, randomFrom(seed + 1)), random };
  }

  test(`${RESTARTS} restarts, cuts and changes of transport lose nothing`, { timeout: 240_000 }, async () => {
    const { proxy, storm } = await start();
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
    const { storm } = await start();
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
    const { storm } = await start();
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

  test(`${FAULTS} faults of single connections lose nothing`, { timeout: 300_000 }, async () => {
    const { proxy, storm, random } = await start();
    const struck = () => Object.values(proxy.struck).reduce((sum, count) => sum + count, 0);
    while (struck() < FAULTS) {
      proxy.disturb(drawFault(random));
      await delay(FAULT_MS);
    }
    proxy.calm();
    await storm.settle();
    const kinds = Object.entries(proxy.struck).map(([kind, count]) => `${kind} ${count}`);
    console.log(`${struck()} faults: ${kinds.join(", ")}; ${proxy.connections} connections\n${storm}`);
    for (const [kind, count] of Object.entries(proxy.struck)) expect(count, kind).toBeGreaterThan(0);
  });
});
