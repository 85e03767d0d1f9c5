// @ts-check
// Amounts, speeds and times, as people read them.

const SPEED_EVENTS = 20; // the speed is taken over so many events: five seconds

const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits });

/** In the job's own unit; bytes as people read them. */
export function amount(value, unit) {
  if (unit !== "bytes") return `${number(value)} ${unit}`.trim();
  if (value < 1e5) return `${number(value)} B`;
  return value < 1e9 ? `${number(value / 1e6, 1)} MB` : `${number(value / 1e9, 2)} GB`;
}

/** @type {{value: number, at: number}[]} */
let recent = [];

/** A job has come so far. @param {{value: number, at: number}} job */
export function noted({ value, at }) {
  recent = [...recent.slice(1 - SPEED_EVENTS), { value, at }];
}

/** Per second, over the newest events. */
export function speed() {
  const [first, last] = [recent[0], recent.at(-1)];
  const seconds = first && last ? (last.at - first.at) / 1_000 : 0;
  return seconds > 0 && last.value > first.value ? (last.value - first.value) / seconds : 0;
}

export function time(seconds) {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  return seconds < 6_000 ? `${Math.round(seconds / 60)} min` : `${number(seconds / 3_600, 1)} h`;
}
