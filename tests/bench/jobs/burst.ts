// 50 publishes at once.

import { SOCKETS, STREAMS, TIDEWIRE, PLAIN, type Peer } from "../contestants.ts";
import { deliver } from "../delivery.ts";
import { ratio, type Cell, type Job } from "../job.ts";
import { freshName } from "../turns.ts";

const TOGETHER = 50;
const PAUSE_MS = 30;

function cell(name: string, count: number, peers: Peer[]): Cell {
  return {
    name,
    contestants: peers.map((peer) => ({
      who: peer.who,
      recipe: peer.recipe,
      begin: async (served, pace) => () => {
        const channel = freshName();
        return deliver(served, { kind: peer.kind, count, path: () => peer.read(channel), publish: peer.publish(channel), together: TOGETHER, pause: PAUSE_MS, ms: pace.time(1_000), least: 2 });
      },
    })),
  };
}

const CELLS = [
  { ...cell("1,000 sockets", 1_000, [SOCKETS.ours, SOCKETS.plain, SOCKETS.party]), isLong: true },
  cell("100 sockets", 100, [SOCKETS.ours, SOCKETS.plain, SOCKETS.party]),
  cell("100 SSE readers", 100, [STREAMS.ours, STREAMS.plain, STREAMS.hono]),
];

export const burst: Job = {
  name: "burst",
  title: "Bursts",
  about: `${TOGETHER} publishes at once, by HTTP, and again ${PAUSE_MS} ms after everyone has everything.`,
  unit: "µs a delivered event",
  columns: [
    { figure: "p50", heading: "p50 ms" },
    { figure: "p99", heading: "p99 ms" },
  ],
  cells: CELLS,
  lines: CELLS.map(({ name }) => ({ what: `burst of ${TOGETHER}, ${name}, a delivered event`, goal: 0.2, unit: "ratio", value: (outcome) => ratio(outcome, name, TIDEWIRE, PLAIN) })),
};
