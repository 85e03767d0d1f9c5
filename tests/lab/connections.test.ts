// Connections that break one at a time, while 20 publishers and 100 readers work in 10 rooms: each reader gets each event once and in order.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { drawFault } from "../harness/proxy.ts";
import { startStorm } from "../harness/storm.ts";
import { describeOwnServer, useOwnServer } from "../harness/suite.ts";

const FAULTS = 500;
/** Time between two faults that are given out; not each of them strikes. */
const FAULT_MS = 80;

describeOwnServer("connections", () => {
  const server = useOwnServer("connections", { HEARTBEAT_MS: "1000" });

  test(`${FAULTS} faults of single connections lose nothing`, { timeout: 300_000 }, async () => {
    const { proxy, storm, random } = await startStorm(server);
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
