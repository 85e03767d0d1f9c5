// A long channel, read from its beginning to its tail.

import { field } from "../answers.ts";
import { Connection } from "../connection.ts";
import { LOGS, PLAIN, TIDEWIRE, type Log } from "../contestants.ts";
import { create } from "../create.ts";
import { batch, Scanner } from "../event.ts";
import { ratio, type Contestant, type Figures, type Job } from "../job.ts";
import { Meter } from "../processor.ts";
import { Publishers } from "../publishers.ts";
import { Readers } from "../readers.ts";
import type { Served } from "../served.ts";
import { freshName } from "../turns.ts";

const EVENTS = 10_000;
const EVENT_BYTES = 1_024;
const MEGABYTES = (EVENTS * EVENT_BYTES) / 1_000_000;
const BATCH = 100;
/** Readings in a round: one takes some milliseconds. */
const READINGS = 3;

/** Reads the channel; resolves with the number of events. */
type Read = (served: Served, path: string) => Promise<number>;

async function byPages({ port }: Served, path: string): Promise<number> {
  const connection = await Connection.open(port);
  try {
    let events = 0;
    const scanner = new Scanner(() => (events += 1));
    connection.body = (piece) => scanner.scan(piece);
    for (let offset = "-1"; ; ) {
      const answer = await connection.request("GET", `${path}?offset=${offset}`);
      if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
      offset = field(answer, "stream-next-offset")!;
      if (field(answer, "stream-up-to-date")) return events;
    }
  } finally {
    connection.close();
  }
}

async function byStream(served: Served, path: string): Promise<number> {
  const readers = await Readers.open(served, { kind: "sse", count: 1, path: () => `${path}?offset=-1` });
  try {
    await readers.reached(EVENTS);
    return readers.delivered;
  } finally {
    readers.close();
  }
}

async function measure(served: Served, path: string, read: Read): Promise<Figures> {
  const meter = new Meter(served.pids);
  const begin = performance.now();
  for (let reading = 0; reading < READINGS; reading += 1) {
    const events = await read(served, path);
    if (events !== EVENTS) throw new Error(`${events} of ${EVENTS} events came`);
  }
  const megabytes = READINGS * MEGABYTES;
  const seconds = (performance.now() - begin) / 1_000;
  return { cost: meter.read() / 1_000 / megabytes, speed: megabytes / seconds };
}

function reading({ who, recipe, path, mustCreate }: Log, read: Read): Contestant {
  return {
    who,
    recipe,
    async begin(served) {
      const channel = path(freshName());
      if (mustCreate) await create(served.port, channel);
      const publishers = await Publishers.open(served, 4);
      try {
        await publishers.publishEach(EVENTS / BATCH, () => channel, () => batch(BATCH, EVENT_BYTES));
      } finally {
        publishers.close();
      }
      return () => measure(served, channel, read);
    },
  };
}

const BY_SSE = `${TIDEWIRE}, SSE`;
const CELL = "10,000 events of 1 KB";

export const catchUp: Job = {
  name: "catch-up",
  title: "Catch-up",
  about: `${EVENTS.toLocaleString("en")} events of ${EVENT_BYTES.toLocaleString("en")} bytes, from the beginning to the tail; by GET unless a row says SSE.`,
  unit: "ms a MB",
  columns: [{ figure: "speed", heading: "MB/s" }],
  cells: [{ name: CELL, contestants: [reading(LOGS.ours, byPages), { ...reading(LOGS.ours, byStream), who: BY_SSE }, ...[LOGS.plain, LOGS.memory, LOGS.files, LOGS.native, LOGS.spin].map((log) => reading(log, byPages))] }],
  lines: [
    { what: "catch-up of 10 MB by GET", goal: 1, unit: "ratio", value: (outcome) => ratio(outcome, CELL, TIDEWIRE, PLAIN) },
    { what: "catch-up of 10 MB by SSE, against GET", goal: 1.5, unit: "ratio", value: (outcome) => ratio(outcome, CELL, BY_SSE, PLAIN) },
  ],
};
