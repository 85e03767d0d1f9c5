// The delivery of one event after another: to sockets, to SSE readers, and to SSE readers on Spin.

import { PLAIN, SOCKETS, STREAMS, TIDEWIRE, TIDEWIRE_SPIN, type Peer } from "../contestants.ts";
import { deliver } from "../delivery.ts";
import { figure, ratio, type Cell, type Column, type Job } from "../job.ts";
import { freshName } from "../turns.ts";

const COLUMNS: Column[] = [
  { figure: "p50", heading: "p50 ms" },
  { figure: "p99", heading: "p99 ms" },
];
const UNIT = "µs a delivery";

function cell(name: string, count: number, ms: number, peers: Peer[]): Cell {
  return {
    name,
    x: count,
    contestants: peers.map((peer) => ({
      who: peer.who,
      recipe: peer.recipe,
      begin: async (served, pace) => () => {
        const channel = freshName();
        return deliver(served, { kind: peer.kind, count, path: () => peer.read(channel), publish: peer.publish(channel), ms: pace.time(ms) });
      },
    })),
  };
}

const ABOUT = "One event after another, by HTTP: the next when everyone has the one before.";

export const websocket: Job = {
  name: "websocket",
  title: "WebSocket delivery",
  about: `${ABOUT} The publish is part of the cost.`,
  unit: UNIT,
  columns: COLUMNS,
  cells: [
    cell("1,000 sockets", 1_000, 1_500, [SOCKETS.ours, SOCKETS.unwindowed, SOCKETS.plain, SOCKETS.kept, SOCKETS.party]),
    cell("100 sockets", 100, 1_000, [SOCKETS.ours, SOCKETS.unwindowed, SOCKETS.plain, SOCKETS.kept, SOCKETS.party]),
  ],
  lines: [
    { what: "WebSocket delivery, 1,000 sockets", goal: 1.05, unit: "ratio", value: (outcome) => ratio(outcome, "1,000 sockets", TIDEWIRE, PLAIN) },
    { what: "WebSocket delivery, 100 sockets", goal: 1.1, unit: "ratio", value: (outcome) => ratio(outcome, "100 sockets", TIDEWIRE, PLAIN) },
  ],
};

export const sse: Job = {
  name: "sse",
  title: "SSE delivery",
  about: `${ABOUT} Plain JavaScript holds the stream in the Worker, as Tidewire does, so that the object may sleep.`,
  unit: UNIT,
  columns: COLUMNS,
  cells: [
    cell("1,000 readers", 1_000, 1_500, [STREAMS.ours, STREAMS.plain, STREAMS.hono]),
    cell("100 readers", 100, 1_000, [STREAMS.ours, STREAMS.plain, STREAMS.hono]),
  ],
  lines: [
    { what: "SSE delivery, 1,000 readers", goal: 1.1, unit: "ratio", value: (outcome) => ratio(outcome, "1,000 readers", TIDEWIRE, PLAIN) },
    { what: "SSE delivery, 100 readers", goal: 1.1, unit: "ratio", value: (outcome) => ratio(outcome, "100 readers", TIDEWIRE, PLAIN) },
  ],
};

export const readers: Job = {
  name: "readers",
  title: "Cost by readers",
  about: `${ABOUT} What an event costs beside its deliveries is spread over few readers at the left.`,
  unit: UNIT,
  columns: COLUMNS,
  cells: [
    cell("10 sockets", 10, 700, [SOCKETS.ours, SOCKETS.plain]),
    cell("100 sockets", 100, 700, [SOCKETS.ours, SOCKETS.plain]),
    cell("300 sockets", 300, 700, [SOCKETS.ours, SOCKETS.plain]),
    cell("1,000 sockets", 1_000, 1_000, [SOCKETS.ours, SOCKETS.plain]),
    { ...cell("3,000 sockets", 3_000, 1_500, [SOCKETS.ours, SOCKETS.plain]), isLong: true },
  ],
  lines: [],
  plot: { title: "CPU of a delivery, by readers of the channel", x: "sockets", y: UNIT },
};

export const spinDelivery: Job = {
  name: "spin-delivery",
  title: "SSE delivery on Spin",
  about: `${ABOUT} An event waits for the next look at the store, every 100 ms (STORE_POLL_MS), so CPU at rest is part of the cost.`,
  unit: UNIT,
  columns: COLUMNS,
  cells: [cell("1,000 readers", 1_000, 3_000, [STREAMS.spin]), cell("100 readers", 100, 2_000, [STREAMS.spin])],
  lines: [{ what: "Spin: SSE delivery, 1,000 readers", unit: "µs", value: (outcome) => figure(outcome, "1,000 readers", TIDEWIRE_SPIN) }],
};
