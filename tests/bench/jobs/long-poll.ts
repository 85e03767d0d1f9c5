// Readers that ask again after each answer.

import { POLLS, TIDEWIRE } from "../contestants.ts";
import { create } from "../create.ts";
import { deliver } from "../delivery.ts";
import { ratio, type Job } from "../job.ts";
import { freshName } from "../turns.ts";

const READERS = 1_000;
const CELL = "1,000 readers";

export const longPoll: Job = {
  name: "long-poll",
  title: "Long poll",
  about: "An event, and the next when everyone has asked again and the server rests. The answer and the next request are one unit. Plain JavaScript keeps its object awake for as long as a client waits; that of Tidewire sleeps.",
  unit: "µs a delivery",
  columns: [
    { figure: "p50", heading: "p50 ms" },
    { figure: "p99", heading: "p99 ms" },
  ],
  cells: [
    {
      name: CELL,
      contestants: Object.values(POLLS).map((peer) => ({
        who: peer.who,
        recipe: peer.recipe,
        begin: async (served, pace) => async () => {
          const channel = freshName();
          if (peer === POLLS.node || peer === POLLS.native) await create(served.port, peer.publish(channel));
          return deliver(served, { kind: peer.kind, count: READERS, path: () => peer.read(channel), publish: peer.publish(channel), ms: pace.time(3_000), least: 2, pause: "quiet" });
        },
      })),
    },
  ],
  lines: [{ what: "long poll, 1,000 readers", goal: 1.5, unit: "ratio", value: (outcome) => ratio(outcome, CELL, TIDEWIRE, POLLS.plain.who) }],
};
