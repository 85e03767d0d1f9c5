// Runs a job: in each cell every contestant once, then again, each time in the other order.

import { randomUUID } from "node:crypto";
import type { Cell, Contestant, Job, Outcome, Pace, Round } from "./job.ts";
import { Absent, type Recipe, type Served } from "./served.ts";

/** A channel that no one has used. */
export const freshName = () => `bench-${randomUUID()}`;

export async function run(job: Job, pace: Pace, say: (line: string) => void): Promise<Outcome> {
  const begin = performance.now();
  const outcome: Outcome = { samples: [], missing: [], seconds: 0 };
  for (const cell of job.cells) {
    if (cell.isLong && pace.isQuick) {
      outcome.missing.push(...cell.contestants.map(({ who }) => ({ cell: cell.name, who, why: "not part of a quick run", isFault: false })));
    } else {
      await runCell(job, cell, pace, outcome, say);
    }
  }
  outcome.seconds = (performance.now() - begin) / 1_000;
  return outcome;
}

/** Servers live as long as a cell, so that none works for the readers of another. */
class Servers {
  readonly #started = new Map<string, Promise<Served>>();

  get(recipe: Recipe): Promise<Served> {
    const started = this.#started.get(recipe.name) ?? recipe.start();
    this.#started.set(recipe.name, started);
    return started;
  }

  async stop(): Promise<void> {
    for (const started of this.#started.values()) {
      const served = await started.catch(() => undefined);
      await served?.stop();
    }
  }
}

async function runCell(job: Job, cell: Cell, pace: Pace, { samples, missing }: Outcome, say: (line: string) => void): Promise<void> {
  const servers = new Servers();
  const rounds = new Map<Contestant, Round>();
  const failed = new Set<Contestant>();
  let round = 0;
  // The first round warms up the server, and is not counted. It is less short than others: a new Worker is compiled while it runs.
  const ofRound: Pace = { ...pace, time: (ms) => (round === 0 ? Math.max(pace.time(ms), ms / 2) : pace.time(ms)) };
  for (; round <= pace.rounds; round += 1) {
    for (const contestant of round % 2 ? cell.contestants.toReversed() : cell.contestants) {
      if (failed.has(contestant)) continue;
      const { who } = contestant;
      try {
        const measure = rounds.get(contestant) ?? (await contestant.begin(await servers.get(contestant.recipe), ofRound));
        rounds.set(contestant, measure);
        const figures = await measure();
        const shown = Object.entries(figures).map(([name, value]) => `${name} ${value.toPrecision(4)}`).join(", ");
        say(`${job.name}, ${cell.name}, ${round === 0 ? "warm-up" : `round ${round}`}, ${who}: ${shown}`);
        if (round > 0) samples.push({ cell: cell.name, who, round, figures });
      } catch (error) {
        const why = firstLine(error);
        say(`${job.name}, ${cell.name}, ${who}: ${why}`);
        missing.push({ cell: cell.name, who, why, isFault: !(error instanceof Absent) });
        failed.add(contestant);
      }
    }
  }
  await servers.stop();
}

export function firstLine(error: unknown): string {
  const [line] = String(error instanceof Error ? error.message : error).split("\n");
  // It stands in a cell of a table.
  return line?.replaceAll("|", "/") || "an error without a message";
}
