// Runs the jobs of the benchmark and writes tests/bench/RESULTS.md. `cargo harness bench` builds what they need, and starts it.
//
//   node bench/run.ts [NAME] [--quick]
//
// With a NAME it runs this job, and writes into target/harness/bench in place of tests/bench.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { OUTPUT } from "../harness/server.ts";
import type { Job, Outcome, Pace } from "./job.ts";
import { JOBS } from "./jobs.ts";
import { facts } from "./machine.ts";
import { takeLoadCore } from "./processor.ts";
import { drawing, report, section, type Run } from "./report.ts";
import { removeStores } from "./state.ts";
import { firstLine, run } from "./turns.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: "boolean", default: false } } });
const [name] = positionals;
const jobs = name ? JOBS.filter((job) => job.name === name) : JOBS;
if (jobs.length === 0) {
  console.error(`${name} is not a job; choose one of: ${JOBS.map((job) => job.name).join(", ")}`);
  process.exit(2);
}
// The hooks that end servers run with `exit` only, and before this one.
process.on("exit", removeStores);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

const pace: Pace = values.quick
  ? { rounds: 2, isQuick: true, time: (ms) => Math.max(300, ms * 0.3) }
  : { rounds: 7, isQuick: false, time: (ms) => ms };
const folder = name ? join(OUTPUT, "bench") : fileURLToPath(new URL(".", import.meta.url));
const plots = join(folder, "plots");
// Those of an earlier run show other figures.
rmSync(plots, { recursive: true, force: true });
mkdirSync(plots, { recursive: true });

const results: Run = { isQuick: pace.isQuick, rounds: pace.rounds, facts: facts(), outcomes: new Map() };
takeLoadCore();
let failures = 0;
for (const job of jobs) {
  const outcome = await attempt(job);
  results.outcomes.set(job.name, outcome);
  failures += outcome.missing.filter(({ isFault }) => isFault).length;
  // After each job, so that a run that is ended leaves what it has.
  writeFileSync(join(folder, "RESULTS.md"), report(jobs, results));
  const svg = drawing(job, outcome);
  if (svg) writeFileSync(join(plots, `${job.name}.svg`), svg);
  console.log(`\n${section(job, results)}`);
}
console.log(`written to ${join(folder, "RESULTS.md")}${failures > 0 ? `; ${failures} rows could not be measured, and say why` : ""}`);
process.exit(failures > 0 ? 1 : 0);

async function attempt(job: Job): Promise<Outcome> {
  const begin = performance.now();
  try {
    return await run(job, pace, (line) => console.error(line));
  } catch (error) {
    const missing = job.cells.flatMap(({ name, contestants }) => contestants.map(({ who }) => ({ cell: name, who, why: firstLine(error), isFault: true })));
    return { samples: [], missing, seconds: (performance.now() - begin) / 1_000 };
  }
}
