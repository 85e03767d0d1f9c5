// @ts-check
// Feed: the newest of each series, and the first of them as a line.

import { publish } from "../client.js";
import { at, element, follow } from "./stage.js";

const QUIET_MS = 3_000; // after so long without a sample this page publishes one of its own
const SAMPLES = 60; // drawn

const UNITS = { _percent: " %", _kb_s: " kB/s", _ms: " ms", _1m: "" };
const SVG = "http://www.w3.org/2000/svg";
const samples = [];

/** @param {import("./stage.js").Miniature} miniature */
function startFeed(miniature) {
  const { stage, signal } = miniature;
  let quiet;
  const awaitQuiet = () => {
    clearTimeout(quiet);
    // A sample was on its way when the card was paused.
    if (signal.aborted) return;
    // Of several pages the first is enough: its sample keeps the others quiet.
    quiet = setTimeout(() => measure().then(awaitQuiet), QUIET_MS * (1 + Math.random() / 10));
  };
  signal.addEventListener("abort", () => clearTimeout(quiet));
  follow("feed/demo-machine", miniature, {
    transports: ["sse"],
    onState: (state) => {
      miniature.enter(state);
      if (state === "live") awaitQuiet();
    },
    onEvent: ({ data }) => {
      awaitQuiet();
      drawSample(stage, Object.entries(data?.values ?? {}).filter(([, value]) => Number.isFinite(value)));
    },
  });
}

/** What a page can tell of itself: how late its timers are. */
async function measure() {
  const from = performance.now();
  await new Promise((done) => setTimeout(done, 10));
  return publish(at("feed/demo-machine"), { at: Date.now(), values: { page_delay_ms: performance.now() - from - 10 } }, { attempts: 1 }).catch(() => {});
}

function drawSample(stage, values) {
  if (!values.length) return;
  if (!stage.querySelector("svg")) {
    const picture = document.createElementNS(SVG, "svg");
    picture.setAttribute("viewBox", `0 0 ${SAMPLES - 1} 100`);
    picture.setAttribute("preserveAspectRatio", "none");
    picture.ariaHidden = "true";
    picture.append(document.createElementNS(SVG, "path"));
    stage.append(picture, element("dl"));
  }
  samples.push(values[0][1]);
  if (samples.length > SAMPLES) samples.shift();
  const most = Math.max(...samples, 1);
  const points = samples.map((value, index) => `${SAMPLES - samples.length + index} ${100 - (96 * Math.max(0, value)) / most}`);
  stage.querySelector("path").setAttribute("d", `M${points.join("L")}h0`);
  stage.querySelector("dl").replaceChildren(
    ...values.slice(0, 4).map(([key, value]) => {
      const ending = Object.keys(UNITS).find((ending) => key.endsWith(ending)) ?? "";
      const row = element("div");
      const figure = value.toLocaleString("en", { maximumSignificantDigits: 3 }) + (UNITS[ending] ?? "");
      row.append(element("dt", key.slice(0, key.length - ending.length).replaceAll("_", " ")), element("dd", figure));
      return row;
    }),
  );
}

/** @type {import("./stage.js").Card} */
export const card = {
  name: "feed",
  href: "feed/",
  transport: "SSE",
  text: "Live dashboards. <code>cargo harness demo</code> publishes what this machine does; while nobody publishes, your page does.",
  isHeld: true,
  start: startFeed,
  act: "Publish a sample",
  press: measure,
};
