// A job of the benchmark: what is compared, and how one round of it is measured. turns.ts runs it, report.ts shows it.

import type { Recipe, Served } from "./served.ts";
import { spread, type Spread } from "./spread.ts";

/** What a round of a contestant has measured; `cost` is what is compared. */
export type Figures = Record<string, number>;

/** How much time a run takes: less for `--quick`. */
export interface Pace {
  /** Rounds that count; one more comes first. */
  rounds: number;
  isQuick: boolean;
  /** The time of a measurement that takes `ms` in a whole run. */
  time(ms: number): number;
}

/** Measures one round. */
export type Round = () => Promise<Figures>;

export interface Contestant {
  who: string;
  recipe: Recipe;
  /** Makes what all rounds of a cell need. */
  begin(served: Served, pace: Pace): Promise<Round>;
}

/** What is compared with one another, in turns. */
export interface Cell {
  name: string;
  /** Its place in the plot. */
  x?: number;
  /** Not part of a quick run. */
  isLong?: boolean;
  contestants: Contestant[];
}

/** A column of the table beside the cost. */
export interface Column {
  figure: string;
  heading: string;
}

/** A line of the first table: a figure, and what it should be. */
export interface Line {
  what: string;
  /** The most that it should be. */
  goal?: number;
  unit: string;
  value(outcome: Outcome): Spread | undefined;
}

export interface Plot {
  title: string;
  x: string;
  y: string;
}

export interface Job {
  /** As on the command line. */
  name: string;
  title: string;
  /** What is done, and what to know about it. */
  about: string;
  /** The unit of the cost. */
  unit: string;
  columns: Column[];
  cells: Cell[];
  lines: Line[];
  plot?: Plot;
}

/** A round that counts. */
export interface Sample {
  cell: string;
  who: string;
  round: number;
  figures: Figures;
}

/** A contestant without figures, or a job that ended early. */
export interface Missing {
  cell: string;
  who: string;
  why: string;
  /** Whether it should have figures. */
  isFault: boolean;
}

export interface Outcome {
  samples: Sample[];
  missing: Missing[];
  seconds: number;
}

/** The figure of each round that counts. */
function byRound({ samples }: Outcome, cell: string, who: string, name: string): Map<number, number> {
  const rounds = new Map<number, number>();
  for (const sample of samples) {
    const value = sample.figures[name];
    if (sample.cell === cell && sample.who === who && value !== undefined) rounds.set(sample.round, value);
  }
  return rounds;
}

export function figure(outcome: Outcome, cell: string, who: string, name = "cost"): Spread | undefined {
  return spread([...byRound(outcome, cell, who, name).values()]);
}

/** Compares two contestants in each round, in which both had the same machine. */
function compare(outcome: Outcome, cell: string, [one, other]: [string, string], name: string, join: (one: number, other: number) => number): Spread | undefined {
  const others = byRound(outcome, cell, other, name);
  return spread([...byRound(outcome, cell, one, name)].flatMap(([round, value]) => (others.has(round) ? [join(value, others.get(round)!)] : [])));
}

/** How often one costs what the other costs: below 1 the one costs less. */
export function ratio(outcome: Outcome, cell: string, one: string, other: string, name = "cost"): Spread | undefined {
  return compare(outcome, cell, [one, other], name, (a, b) => a / b);
}

export function difference(outcome: Outcome, cell: string, one: string, other: string): Spread | undefined {
  return compare(outcome, cell, [one, other], "cost", (a, b) => a - b);
}
