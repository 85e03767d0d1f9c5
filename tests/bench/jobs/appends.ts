// Publishes by HTTP: many at once, a full channel, a long one, many channels, and on Spin.

import { LOGS, PLAIN, TIDEWIRE, TIDEWIRE_SPIN, oursWith, type Log } from "../contestants.ts";
import { create } from "../create.ts";
import { batch, event } from "../event.ts";
import { figure, ratio, type Cell, type Column, type Contestant, type Job } from "../job.ts";
import { append, Publishers } from "../publishers.ts";
import type { Served } from "../served.ts";
import { freshName } from "../turns.ts";

const COLUMNS: Column[] = [
  { figure: "p50", heading: "p50 ms" },
  { figure: "p99", heading: "p99 ms" },
  { figure: "rate", heading: "appends/s" },
];
const UNIT = "µs an append";
const BATCH = 1_000;

/** Appends so many events, in the longest batches. */
async function fill(served: Served, path: string, events: number): Promise<void> {
  const publisher = await Publishers.open(served, 1);
  try {
    await publisher.publishEach(events / BATCH, () => path, () => batch(BATCH));
  } finally {
    publisher.close();
  }
}

/** Appends to a fresh channel in each round. */
function appending({ who, recipe, path, mustCreate }: Log, publishers: number, ms: number): Contestant {
  return {
    who,
    recipe,
    begin: async (served, pace) => async () => {
      const channel = path(freshName());
      if (mustCreate) await create(served.port, channel);
      return append(served, { publishers, path: () => channel, ms: pace.time(ms) });
    },
  };
}

const PUBLISHERS = "16 publishers";

export const appends: Job = {
  name: "append",
  title: "Append",
  about: "Every publisher sends its next event of 100 bytes when the one before is acknowledged, over a connection that stays open. The times are those of the acknowledgement.",
  unit: UNIT,
  columns: COLUMNS,
  cells: [{ name: PUBLISHERS, contestants: [LOGS.ours, LOGS.plain, LOGS.memory, LOGS.files, LOGS.native].map((log) => appending(log, 16, 1_500)) }],
  lines: [
    { what: "append by HTTP, 16 publishers", goal: 1.4, unit: "ratio", value: (outcome) => ratio(outcome, PUBLISHERS, TIDEWIRE, PLAIN) },
    { what: "append by HTTP, 16 publishers, p99", goal: 1.2, unit: "ratio", value: (outcome) => ratio(outcome, PUBLISHERS, TIDEWIRE, PLAIN, "p99") },
  ],
};

const [REACHED, UNREACHED] = [`${TIDEWIRE}, retention reached`, `${TIDEWIRE}, not reached`];
/** RETENTION_MAX_EVENTS by default. */
const RETAINED = 10_000;

export const retention: Job = {
  name: "retention",
  title: "Append with retention",
  about: `The channel of one has ${RETAINED.toLocaleString("en")} events, the most that are kept by default; that of the other is new.`,
  unit: UNIT,
  columns: COLUMNS,
  cells: [
    {
      name: PUBLISHERS,
      contestants: [
        {
          who: REACHED,
          recipe: LOGS.ours.recipe,
          async begin(served, pace) {
            const channel = LOGS.ours.path(freshName());
            await fill(served, channel, RETAINED);
            return () => append(served, { publishers: 16, path: () => channel, ms: pace.time(1_000) });
          },
        },
        { ...appending(LOGS.ours, 16, 1_000), who: UNREACHED },
      ],
    },
  ],
  lines: [{ what: "append with retention reached, against without", goal: 1.05, unit: "ratio", value: (outcome) => ratio(outcome, PUBLISHERS, REACHED, UNREACHED) }],
};

/** Nothing is dropped. */
const ENDLESS = oursWith("ours-endless", { RETENTION_MAX_EVENTS: "100000000", RETENTION_MAX_BYTES: "100000000000" });

export const logLength: Job = {
  name: "log-length",
  title: "Cost by length of the log",
  about: "16 publishers append to a channel that has so many events.",
  unit: UNIT,
  columns: COLUMNS,
  cells: [1_000, 10_000, 100_000, 1_000_000].map((events) => ({
    name: `${events.toLocaleString("en")} events`,
    x: events,
    isLong: events > 10_000,
    contestants: [{ ...LOGS.ours, recipe: ENDLESS }, LOGS.plain].map(
      ({ who, recipe, path }): Contestant => ({
        who,
        recipe,
        async begin(served, pace) {
          const channel = path(freshName());
          await fill(served, channel, events);
          return () => append(served, { publishers: 16, path: () => channel, ms: pace.time(700) });
        },
      }),
    ),
  })),
  lines: [],
  plot: { title: "CPU of an append, by events in the log", x: "events in the log", y: UNIT },
};

function manyChannels(count: number): Cell {
  return {
    name: count === 1 ? "1 channel" : `${count.toLocaleString("en")} channels`,
    x: count,
    contestants: [LOGS.ours, LOGS.plain].map(({ who, recipe, path }) => ({
      who,
      recipe,
      async begin(served, pace) {
        const name = freshName();
        const channel = (number: number) => path(`${name}-${number % count}`);
        const publishers = await Publishers.open(served, 4);
        try {
          await publishers.publishEach(count, channel, event);
        } finally {
          publishers.close();
        }
        return () => append(served, { publishers: 16, path: channel, ms: pace.time(1_000) });
      },
    })),
  };
}

export const channels: Job = {
  name: "channels",
  title: "Cost by channels",
  about: "16 publishers append to so many channels in turn, each an object of its own.",
  unit: UNIT,
  columns: COLUMNS,
  cells: [1, 10, 100, 1_000].map(manyChannels),
  lines: [],
  plot: { title: "CPU of an append, by channels", x: "channels", y: UNIT },
};

const MANY = "64 publishers";

export const spinAppend: Job = {
  name: "spin-append",
  title: "Append on Spin",
  about: "64 publishers to one channel, as above. `@durable-streams/server` in files stands beside it.",
  unit: UNIT,
  columns: COLUMNS,
  cells: [{ name: MANY, contestants: [LOGS.spin, LOGS.files].map((log) => appending(log, 64, 2_000)) }],
  lines: [{ what: "Spin: append, 64 publishers, p99", goal: 60, unit: "ms", value: (outcome) => figure(outcome, MANY, TIDEWIRE_SPIN, "p99") }],
};
