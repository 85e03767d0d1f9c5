// Readers that wait while nothing happens.

import { setTimeout as delay } from "node:timers/promises";
import { STREAMS, TIDEWIRE_SPIN, type Peer } from "../contestants.ts";
import { event } from "../event.ts";
import { figure, type Cell, type Contestant, type Figures, type Job } from "../job.ts";
import { Meter } from "../processor.ts";
import { Publishers } from "../publishers.ts";
import { Readers } from "../readers.ts";
import { freshName } from "../turns.ts";

const READERS = 1_000;
/** Time until nobody is on the way any more. */
const SETTLE_MS = 3_000;

function resting({ who, recipe, kind, read, publish }: Peer, channels: number): Contestant {
  return {
    who,
    recipe,
    async begin(served, pace) {
      const name = freshName();
      const publishers = await Publishers.open(served, 4);
      await publishers.publishEach(channels, (number) => publish(`${name}-${number % channels}`), event);
      publishers.close();
      await Readers.open(served, { kind, count: READERS, path: (reader) => read(`${name}-${reader % channels}`) });
      await delay(SETTLE_MS);
      return async (): Promise<Figures> => {
        const [meter, begin, before] = [new Meter(served.pids), performance.now(), await served.looks?.()];
        await delay(pace.time(5_000));
        const [us, seconds, after] = [meter.read(), (performance.now() - begin) / 1_000, await served.looks?.()];
        const cost = us / seconds / 10_000;
        if (!before || !after) return { cost };
        const reads = (after.reads - before.reads) / seconds;
        return { cost, reads, instances: after.instances, each: reads / after.instances };
      };
    },
  };
}

const cell = (name: string, channels: number): Cell => ({ name, contestants: [resting(STREAMS.spin, channels), resting(STREAMS.ours, channels)] });

const [ONE, MANY] = ["1,000 readers of 1 channel", "1,000 readers of 1,000 channels"];

export const spinRest: Job = {
  name: "spin-rest",
  title: "Readers at rest",
  about: "SSE readers, and no event. Spin looks at its store every 100 ms (STORE_POLL_MS); a Durable Object sleeps. Only tests/spin-host counts the reads of its store.",
  unit: "% of a core",
  columns: [
    { figure: "reads", heading: "store reads/s" },
    { figure: "instances", heading: "instances" },
    { figure: "each", heading: "reads/s an instance" },
  ],
  cells: [cell(ONE, 1), cell(MANY, 1_000)],
  lines: [
    { what: "Spin: 1,000 readers of 1 channel at rest", goal: 3, unit: "% of a core", value: (outcome) => figure(outcome, ONE, TIDEWIRE_SPIN) },
    { what: "Spin: 1,000 readers of 1,000 channels at rest", goal: 10, unit: "% of a core", value: (outcome) => figure(outcome, MANY, TIDEWIRE_SPIN) },
    { what: "Spin: the same, store reads a second and instance", goal: 12, unit: "reads/s", value: (outcome) => figure(outcome, MANY, TIDEWIRE_SPIN, "each") },
  ],
};
