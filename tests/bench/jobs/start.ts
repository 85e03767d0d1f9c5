// A new process, until its first answer.

import { setTimeout as delay } from "node:timers/promises";
import { TIDEWIRE } from "../contestants.ts";
import { figure, type Contestant, type Job } from "../job.ts";
import { Meter } from "../processor.ts";
import type { Recipe } from "../served.ts";
import { launch, OURS, type Worker } from "../workerd.ts";

const CELL = "a first publish";
const LIMIT_MS = 20_000;
/** Nothing is served before it is measured. */
const NOTHING: Recipe = { name: "nothing", start: async () => ({ port: 0, pids: [], stop: async () => {} }) };

/** Asks until it answers. */
async function publish(url: string): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: '{"a":1}' }).catch(() => undefined);
    if (answer?.status === 204) return;
    if (answer || performance.now() > end) throw new Error(`${url} ${answer ? `answered ${answer.status}` : "does not answer"}`);
    await delay(1);
  }
}

function starting(who: string, worker: Worker, path: string): Contestant {
  return {
    who,
    recipe: NOTHING,
    begin: async () => async () => {
      let cost = 0;
      const served = await launch(worker, async (port) => {
        const begin = performance.now();
        await publish(`http://127.0.0.1:${port}${path}`);
        cost = performance.now() - begin;
      });
      const cpu = Meter.whole(served.pids) / 1_000;
      await served.stop();
      return { cost, cpu };
    },
  };
}

export const start: Job = {
  name: "start",
  title: "Start",
  about: "From the start of a process to the answer to a first publish, without the time to write its files.",
  unit: "ms",
  columns: [{ figure: "cpu", heading: "CPU ms" }],
  cells: [{ name: CELL, contestants: [starting(TIDEWIRE, OURS, "/feed/first"), starting("minimal JavaScript", { peer: "minimal.mjs", objects: { MINIMAL: "Minimal" } }, "/first")] }],
  lines: [{ what: "first answer of a new process", goal: 40, unit: "ms", value: (outcome) => figure(outcome, CELL, TIDEWIRE) }],
};
