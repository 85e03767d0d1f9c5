// The results as Markdown: a table of all goals, then each job with a row for each contestant.

import { figure, ratio, type Job, type Outcome } from "./job.ts";
import { svg } from "./plot.ts";
import type { Spread } from "./spread.ts";

export interface Run {
  isQuick: boolean;
  rounds: number;
  facts: [string, string][];
  /** By the name of the job. */
  outcomes: Map<string, Outcome>;
}

/** Why a job has no figures. */
const UNREACHED = "the run ended before it";

function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const shown = (spread: Spread | undefined) => (spread ? `${number(spread.median)} (${number(spread.lowest)}..${number(spread.highest)})` : "");
const row = (cells: string[]) => `| ${cells.join(" | ")} |`;

/** The first cells of the rows of a job: what, and who. RESULTS.md has exactly these. */
export function rows(job: Job): string[] {
  return job.cells.flatMap(({ name, contestants }) => contestants.map(({ who }) => `| ${name} | ${who} |`));
}

/** The first cell of each line of the first table. */
export function lines(jobs: Job[]): string[] {
  return jobs.flatMap((job) => job.lines.map(({ what }) => `| ${what} |`));
}

export const heading = (job: Job) => `## ${job.title}`;

export function report(jobs: Job[], run: Run): string {
  return `# Side by side

\`cargo harness bench\` writes this file.${run.isQuick ? ` **A quick run**, of \`--quick\`: ${run.rounds} short rounds, which show little more than that everything works.` : ""}

${row(["", ""])}
|---|---|
${run.facts.map(row).join("\n")}

Servers stand beside each other, bare workerd without a proxy in front, and are measured in turns, in ${run.rounds} rounds, each round in the other order; a first round is not counted. **CPU is the time of all threads of the server**, from the kernel's own count (\`/proc\`).
A figure is the median of the rounds (lowest..highest). **A ratio is Tidewire's cost by the other's in the same round**: above 1 Tidewire costs more. Events are JSON of 100 bytes. Each server stores an event before it sends it, and sends its position with it. An event that does not arrive fails the row.

## In one table

Ratios compare with plain JavaScript that does the same durable work. Times and shares are those of this machine, and only ratios can be compared with another.

${row(["what", "measured", "unit", "goal, at most", "met"])}
|---|--:|---|--:|---|
${jobs.flatMap((job) => job.lines.map((line) => summary(line, run.outcomes.get(job.name)))).join("\n")}

${jobs.map((job) => section(job, run)).join("\n")}`;
}

function summary({ what, goal, unit, value }: Job["lines"][number], outcome: Outcome | undefined): string {
  const spread = outcome && value(outcome);
  const met = !spread || goal === undefined ? "" : spread.median <= goal ? "yes" : "no";
  return row([what, shown(spread) || `no figures: ${outcome ? "see below" : UNREACHED}`, unit, goal === undefined ? "" : String(goal), met]);
}

/** The part of one job. */
export function section(job: Job, { outcomes }: Run): string {
  const outcome = outcomes.get(job.name);
  const isCompared = job.cells.some(({ contestants }) => contestants.length > 1);
  const headings = ["", "", job.unit, ...(isCompared ? ["ratio"] : []), ...job.columns.map((column) => column.heading)];
  const table = job.cells.flatMap(({ name, contestants }) =>
    contestants.map(({ who }, index) => {
      const cost = outcome && figure(outcome, name, who);
      if (!outcome || !cost) {
        const why = outcome ? (outcome.missing.find((missing) => missing.cell === name && missing.who === who)?.why ?? "an unknown reason") : UNREACHED;
        return row([name, who, `not measured: ${why}`, ...headings.slice(3).map(() => "")]);
      }
      const compared = isCompared ? [index === 0 ? "" : shown(ratio(outcome, name, contestants[0]!.who, who))] : [];
      const others = job.columns.map(({ figure: key }) => {
        const value = figure(outcome, name, who, key);
        return value ? number(value.median) : "";
      });
      return row([name, who, shown(cost), ...compared, ...others]);
    }),
  );
  const plot = job.plot && outcome?.samples.length ? `\n![${job.plot.title}](plots/${job.name}.svg)\n` : "";
  return `${heading(job)}

${job.about}${outcome ? ` (\`cargo harness bench ${job.name}\`, ${Math.round(outcome.seconds)} s)` : ""}

${row(headings)}
|---|---|${headings.slice(2).map(() => "--:").join("|")}|
${table.join("\n")}
${plot}`;
}

/** The plot of a job that has one. */
export function drawing(job: Job, outcome: Outcome): string | undefined {
  if (!job.plot || outcome.samples.length === 0) return undefined;
  const names = [...new Set(job.cells.flatMap(({ contestants }) => contestants.map(({ who }) => who)))];
  const series = names.map((who) => ({
    name: who,
    points: job.cells.flatMap((cell) => {
      const y = figure(outcome, cell.name, who);
      return y && cell.x !== undefined ? [{ x: cell.x, y }] : [];
    }),
  }));
  return svg({ ...job.plot, series });
}
