// A shared document: one client types, and all who have it open see it.

import { DOCUMENTS, TIDEWIRE, TIDEWIRE_SPIN, YPARTY, type Peer } from "../contestants.ts";
import { Connection } from "../connection.ts";
import { deliver } from "../delivery.ts";
import { figure, ratio, type Cell, type Figures, type Job } from "../job.ts";
import type { Readers } from "../readers.ts";
import type { Served } from "../served.ts";
import { freshName } from "../turns.ts";
import { Typist } from "../typist.ts";

const BYTES = ["Content-Type: application/octet-stream"];
const UNIT = "µs an update";

/** The cost of an update for the server, from its storing to the last client. */
async function edit(served: Served, peer: Peer, clients: number, ms: number): Promise<Figures> {
  const typist = new Typist();
  const channel = freshName();
  const path = peer.publish(channel);
  const writing = peer.kind === "socket" ? undefined : await Connection.open(served.port);
  await writing?.request("PUT", path, BYTES, new Uint8Array());
  // The server sends a client its own updates, too.
  const bySocket = (readers: Readers) => readers.send(0, typist.message());
  const byPost = async () => {
    const { status } = await writing!.request("POST", path, BYTES, typist.body());
    if (status !== 204) throw new Error(`an update for ${path} answered ${status}`);
  };
  try {
    const found = await deliver(served, { kind: peer.kind, count: clients, path: () => peer.read(channel), publish: writing ? byPost : bySocket, ms, least: 20 });
    return { ...found, cost: found.cost * clients };
  } finally {
    writing?.close();
  }
}

function cell(name: string, clients: number): Cell {
  return {
    name,
    contestants: Object.values(DOCUMENTS).map((peer) => ({
      who: peer.who,
      recipe: peer.recipe,
      begin: async (served, pace) => () => edit(served, peer, clients, pace.time(1_500)),
    })),
  };
}

const [ONE, TWENTY] = ["1 client", "20 clients"];

export const documents: Job = {
  name: "documents",
  title: "Shared documents",
  about: "A client types 40 bytes, and again when all clients have it, the one that typed included: over y-websocket, and on Spin by POST and SSE. `y-partyserver` holds the document in memory and here stores each update, and a snapshot after 500, as Tidewire does. CPU of Spin at rest is part of the cost.",
  unit: UNIT,
  columns: [
    { figure: "p50", heading: "p50 ms" },
    { figure: "p99", heading: "p99 ms" },
  ],
  cells: [cell(ONE, 1), cell(TWENTY, 20)],
  lines: [
    ...[ONE, TWENTY].map((name): Job["lines"][number] => ({ what: `an update of a document, ${name}, against y-partyserver`, unit: "ratio", value: (outcome) => ratio(outcome, name, TIDEWIRE, YPARTY) })),
    { what: "Spin: an update of a document, 20 clients", unit: "µs", value: (outcome) => figure(outcome, TWENTY, TIDEWIRE_SPIN) },
  ],
};
