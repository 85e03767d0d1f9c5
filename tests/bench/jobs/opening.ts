// Readers that come.

import { PLAIN, SOCKETS, STREAMS, TIDEWIRE, type Peer } from "../contestants.ts";
import { ratio, type Cell, type Job } from "../job.ts";
import { Meter, quiet } from "../processor.ts";
import { Readers } from "../readers.ts";
import { freshName } from "../turns.ts";

const COUNT = 1_000;

function cell(name: string, peers: Peer[]): Cell {
  return {
    name,
    contestants: peers.map((peer) => ({
      who: peer.who,
      recipe: peer.recipe,
      begin: async (served) => async () => {
        const channel = freshName();
        await quiet(served.pids);
        const meter = new Meter(served.pids);
        const begin = performance.now();
        const readers = await Readers.open(served, { kind: peer.kind, count: COUNT, path: () => peer.read(channel) });
        const rate = COUNT / ((performance.now() - begin) / 1_000);
        await quiet(served.pids);
        const cost = meter.read() / COUNT;
        readers.close();
        await quiet(served.pids);
        return { cost, rate };
      },
    })),
  };
}

export const opening: Job = {
  name: "opening",
  title: "Opening",
  about: `${COUNT.toLocaleString("en")} readers of one channel come, 20 at a time.`,
  unit: "µs a reader",
  columns: [{ figure: "rate", heading: "readers/s" }],
  cells: [cell("a WebSocket", [SOCKETS.ours, SOCKETS.plain, SOCKETS.party]), cell("an SSE stream", [STREAMS.ours, STREAMS.plain, STREAMS.hono])],
  lines: ["a WebSocket", "an SSE stream"].map((name) => ({ what: `opening ${name}`, goal: 1.5, unit: "ratio", value: (outcome) => ratio(outcome, name, TIDEWIRE, PLAIN) })),
};
