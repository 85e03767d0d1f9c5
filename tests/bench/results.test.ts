// RESULTS.md has what the list of jobs has, and what the benchmark computes is right.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Answers } from "./answers.ts";
import { batch, event, Scanner } from "./event.ts";
import { ratio, type Job, type Outcome, type Pace } from "./job.ts";
import { JOBS } from "./jobs.ts";
import { svg } from "./plot.ts";
import { decoded } from "./readers.ts";
import { drawing, heading, lines, report, rows } from "./report.ts";
import { quantile, spread } from "./spread.ts";
import { run } from "./turns.ts";

const RESULTS = readFileSync(new URL("RESULTS.md", import.meta.url), "utf8");

/** The table that follows a text: the beginning of each row, up to the end of so many cells. */
function tableAfter(text: string, cells: number): string[] {
  const begin = RESULTS.indexOf(`\n${text}\n`);
  expect(begin, text).toBeGreaterThan(0);
  const table = RESULTS.slice(begin).split("\n").slice(2);
  const first = table.findIndex((line) => line.startsWith("|"));
  const end = table.findIndex((line, index) => index > first && !line.startsWith("|"));
  return table.slice(first + 2, end).map((line) => `${line.split(" | ").slice(0, cells).join(" | ")} |`);
}

test("RESULTS.md has the rows of every job, and no others", () => {
  expect(tableAfter("## In one table", 1)).toEqual(lines(JOBS));
  for (const job of JOBS) expect(tableAfter(heading(job), 2), job.name).toEqual(rows(job));
  expect(RESULTS.match(/^## .*$/gm)).toEqual(["## In one table", ...JOBS.map(heading)]);
});

test("the plots of RESULTS.md are there, and no others", () => {
  const shown = [...RESULTS.matchAll(/\]\(plots\/([\w-]+\.svg)\)/g)].map(([, file]) => file!);
  const plots = JOBS.filter((job) => job.plot).map((job) => `${job.name}.svg`);
  expect(plots).toEqual(expect.arrayContaining(shown));
  const folder = new URL("plots", import.meta.url);
  expect(existsSync(folder) ? readdirSync(folder).toSorted() : []).toEqual(shown.toSorted());
});

test("no row is without a figure or a reason", () => {
  const measured = /^\| [^|]+ \| [^|]+ \| (-?[\d,.]+ \(-?[\d,.]+\.\.-?[\d,.]+\)|not measured: [^|]+) \|/;
  for (const job of JOBS) {
    for (const row of rows(job)) expect(RESULTS.split("\n").find((line) => line.startsWith(row)), row).toMatch(measured);
  }
});

test("jobs, cells and contestants have names of their own", () => {
  const unique = (names: string[]) => expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  unique(JOBS.map((job) => job.name));
  unique(JOBS.map((job) => job.title));
  for (const job of JOBS) unique(rows(job));
});

const PACE: Pace = { rounds: 2, isQuick: true, time: () => 0 };
const nothing = { name: "nothing", start: async () => ({ port: 0, pids: [], stop: async () => {} }) };

/** A job whose contestants measure nothing. */
function toy(measure: (who: string) => Promise<Record<string, number>>): Job {
  const contestant = (who: string) => ({ who, recipe: nothing, begin: async () => () => measure(who) });
  return {
    ...{ name: "toy", title: "Toy", about: "", unit: "µs", columns: [], lines: [] },
    cells: [
      { name: "short", contestants: [contestant("ours"), contestant("theirs")] },
      { name: "long", isLong: true, contestants: [contestant("ours")] },
    ],
  };
}

test("contestants take turns, and the first round is not counted", async () => {
  const turns: string[] = [];
  const outcome = await run(toy(async (who) => ({ cost: turns.push(who) })), PACE, () => {});
  expect(turns).toEqual(["ours", "theirs", "theirs", "ours", "ours", "theirs"]);
  expect(outcome.samples.map(({ who, round, figures }) => [who, round, figures.cost])).toEqual([["theirs", 1, 3], ["ours", 1, 4], ["ours", 2, 5], ["theirs", 2, 6]]);
  // 4 by 3, and 5 by 6.
  expect(ratio(outcome, "short", "ours", "theirs")).toEqual({ median: (4 / 3 + 5 / 6) / 2, lowest: 5 / 6, highest: 4 / 3 });
});

test("a contestant that fails says why, and the others are measured", async () => {
  const job = toy(async (who) => {
    if (who === "theirs") throw new Error("no such server\nat line 1");
    return { cost: 1 };
  });
  const outcome = await run(job, PACE, () => {});
  expect(outcome.missing).toEqual([
    { cell: "short", who: "theirs", why: "no such server", isFault: true },
    { cell: "long", who: "ours", why: "not part of a quick run", isFault: false },
  ]);
  const text = report([job], { isQuick: true, rounds: 2, facts: [], outcomes: new Map([["toy", outcome]]) });
  expect(text).toContain("| short | ours | 1.00 (1.00..1.00) |  |");
  expect(text).toContain("| short | theirs | not measured: no such server |  |");
  expect(text).toContain("A quick run");
});

test("a job that was not reached has its rows", () => {
  const text = report(JOBS, { isQuick: false, rounds: 7, facts: [], outcomes: new Map() });
  for (const job of JOBS) for (const row of rows(job)) expect(text).toContain(`${row} not measured: the run ended before it |`);
});

test("quantiles lie between neighbours", () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([1, 2, 3], 1)).toBe(3);
  expect(spread([])).toBeUndefined();
});

test("an event has its length, and is found wherever the bytes are cut", () => {
  expect(event(100)).toHaveLength(100);
  expect(JSON.parse(event())).toHaveProperty("t");
  const bytes = Buffer.from(`id: 1\ndata: ${event()}\n\n${batch(2)} "t" "t": "`);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const found: number[] = [];
    const scanner = new Scanner((latencyMs) => found.push(latencyMs));
    scanner.scan(bytes.subarray(0, cut));
    scanner.scan(bytes.subarray(cut));
    expect(found, `cut at ${cut}`).toHaveLength(3);
    expect(Math.max(...found)).toBeLessThan(10_000);
  }
});

test("the bytes of a stream are read wherever it is cut", () => {
  const data = `data:${Buffer.from(event()).toString("base64")}\n`;
  const stream = Buffer.from(`event: control\ndata:{"streamNextOffset":"1"}\n\nevent: data\n${data}\n:\n\n`);
  for (let cut = 1; cut < stream.length; cut += 1) {
    const found: number[] = [];
    const scanner = new Scanner((latencyMs) => found.push(latencyMs));
    const scan = decoded((piece) => scanner.scan(piece));
    scan(stream.subarray(0, cut));
    scan(stream.subarray(cut));
    expect(found, `cut at ${cut}`).toHaveLength(1);
  }
});

test("answers are parsed wherever the bytes are cut", () => {
  const bytes = Buffer.from(
    ["HTTP/1.1 204 No Content", "Stream-Next-Offset: 7", "", "HTTP/1.1 200 OK", "Content-Length: 5", "", "helloHTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "3", "abc", "a", "defghijklm", "0", "", "HTTP/1.1 101 Switching", "", "frames"].join("\r\n"),
  );
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const statuses: number[] = [];
    let [body, ends] = ["", 0];
    const answers = new Answers({ head: ({ status }) => statuses.push(status), body: (piece) => (body += piece), end: () => (ends += 1) });
    answers.push(bytes.subarray(0, cut));
    answers.push(bytes.subarray(cut));
    expect([statuses, body, ends], `cut at ${cut}`).toEqual([[204, 200, 200, 101], "helloabcdefghijklmframes", 3]);
  }
});

test("a plot has a line for each contestant, inside of its frame", () => {
  const y = { median: 20, lowest: 10, highest: 40 };
  const text = svg({ title: "A < B", x: "readers", y: "µs", series: [{ name: "ours", points: [{ x: 10, y }, { x: 1_000, y }] }] });
  expect(text).toContain("A &lt; B");
  expect(text.match(/<circle/g)).toHaveLength(3);
  for (const [, number] of text.matchAll(/(?:cx|cy)="([\d.]+)"/g)) expect(Number(number)).toBeLessThan(720);
  expect(drawing(toy(async () => ({ cost: 1 })), { samples: [], missing: [], seconds: 0 } satisfies Outcome)).toBeUndefined();
});
