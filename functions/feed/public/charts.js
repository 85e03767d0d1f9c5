// @ts-check
// A chart for each series, or its newest value and the age of that.

/** @typedef {import("./feed.d.ts").Sample} Sample */

const SAMPLES = 120; // as many as a chart shows
const MAX_SERIES = { all: 24, latest: 200 }; // anybody may publish to an open channel, so the page draws no more charts than this
const LATENCIES = 30; // the median is taken over so many events

const UNITS = { _percent: "%", _kb_s: "kB/s", _ms: "ms", _1m: "1 min" };
const openedAt = Date.now();
const series = new Map();
const latencies = [];
/** @type {any} */
const charts = document.querySelector("main");
let view = "all";

/** Begins anew, with all or with the newest value of each series: `all` or `latest`. */
export function clear(chosen) {
  view = chosen;
  series.clear();
  charts.replaceChildren();
  charts.dataset.view = view;
}

/** @param {Partial<Sample> | null} event Anybody may publish to an open channel, so anything may be missing. */
export function draw(event) {
  const { at, values } = event ?? {};
  // What was published before the page was opened is history: its age is not latency.
  if (at >= openedAt) latencies.push(Date.now() - at);
  if (latencies.length > LATENCIES) latencies.shift();
  for (const [key, value] of Object.entries(values ?? {})) {
    if (!Number.isFinite(value) || (!series.has(key) && series.size === MAX_SERIES[view])) continue;
    if (!series.has(key)) series.set(key, { samples: [], chart: addChart(key) });
    push(series.get(key).samples, value);
    series.get(key).at = at;
  }
}

/** A missing sample: the line stops and begins anew, so that a gap is seen. */
export function breakLines() {
  for (const { samples } of series.values()) if (samples.at(-1) !== null) push(samples, null);
}

function push(samples, value) {
  samples.push(value);
  if (samples.length > SAMPLES) samples.shift();
}

const byName = new Intl.Collator("en", { numeric: true });

function addChart(key) {
  const chart = /** @type {HTMLElement} */ (document.querySelector("template").content.firstElementChild.cloneNode(true));
  const ending = Object.keys(UNITS).find((ending) => key.endsWith(ending)) ?? "";
  chart.dataset.series = key;
  chart.querySelector("h2").title = key;
  chart.querySelector("h2").textContent = key.slice(0, key.length - ending.length).replaceAll("_", " ");
  chart.querySelector(".unit").textContent = UNITS[ending] ?? "";
  // Many of them are found by their name; a few stay where they are.
  const next = view === "latest" && [...charts.children].find((other) => byName.compare(other.dataset.series, key) > 0);
  charts.insertBefore(chart, next || null);
  return chart;
}

function paintChart({ samples, chart, at }) {
  const known = samples.filter((sample) => sample !== null);
  const low = Math.min(0, ...known);
  const high = roundUp(Math.max(...known));
  const x = (index) => SAMPLES - samples.length + index;
  const y = (value) => (100 - (100 * (value - low)) / (high - low)).toFixed(2);

  let line = "";
  let area = "";
  samples.forEach((value, index) => {
    if (value === null) return;
    const begins = samples[index - 1] == null;
    const ends = samples[index + 1] == null;
    line += `${begins ? "M" : "L"}${x(index)} ${y(value)}`;
    area += `${begins ? `M${x(index)} ${y(0)}` : ""}L${x(index)} ${y(value)}${ends ? `V${y(0)}Z` : ""}`;
  });
  const newest = known.at(-1);
  chart.querySelector(".line").setAttribute("d", line);
  chart.querySelector(".area").setAttribute("d", area);
  chart.querySelector(".newest").setAttribute("d", `M${SAMPLES - 1} ${y(newest)}h0`);
  chart.querySelector("output").textContent = number(newest);
  chart.querySelector("small").textContent = view === "latest" ? age(at) : `${short(low)} – ${short(high)}`;
}

/** How long ago it was: 4h. */
function age(at) {
  if (!Number.isFinite(at)) return "";
  const seconds = Math.max(0, Date.now() - at) / 1_000;
  const [unit, size] = /** @type {const} */ ([["day", 86_400], ["hour", 3_600], ["minute", 60]]).find(([, size]) => seconds >= size) ?? ["second", 1];
  return Math.floor(seconds / size).toLocaleString("en", { style: "unit", unit, unitDisplay: "narrow" });
}

/** The next of 1, 2, 5, 10, 20, …: a scale that seldom jumps. */
function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

const short = (value) => value.toLocaleString("en", { notation: "compact" });

function number(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return short(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Draws all that is known. */
export function paint() {
  for (const each of series.values()) paintChart(each);
}

/** The median of how long the newest events took, as text; nothing before the first. */
export function latency() {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted.length ? `${number(sorted[sorted.length >> 1])} ms` : "";
}
