// @ts-check
// Progress: a job that ends, and the next in its place.

import { at, element, follow, json } from "./stage.js";

const JOB = "progress/demo-gallery";
const FRAMES = 24;
const FRAME_MS = 300; // the server takes four a second
const NEXT_JOB_MS = 1_500;
const ABANDONED_MS = 3_000; // who ran it may have closed the page
let heardAt = 0;
let isWorking = false;

/** @param {import("./stage.js").Miniature} miniature */
async function startProgress(miniature) {
  const { stage, signal } = miniature;
  if (!stage.childElementCount) stage.append(element("p", "No job yet."), element("progress", "", { max: "1", value: "0" }), element("output"));
  for (let offset = "-1"; !signal.aborted; ) {
    const job = follow(JOB, miniature, { transports: ["sse"], offset });
    try {
      for await (const { data } of job) drawJob(stage, data);
    } catch {
      // Refused; it may be another job's turn later.
    }
    // Finished. Of the next job under this name the stream tells as of a gap.
    offset = job.offset;
    await new Promise((done) => setTimeout(done, NEXT_JOB_MS));
  }
}

function drawJob(stage, { type, label, value, max }) {
  heardAt = type === "progress" ? Date.now() : 0;
  stage.dataset.is = type;
  stage.querySelector("p").textContent = String(label).slice(0, 40);
  stage.querySelector("progress").value = max > 0 ? value / max : 0;
  stage.querySelector("output").textContent = type === "progress" ? `${Number(value)} of ${Number(max)} frames` : type;
}

/** Who presses is who works, on one job at a time: it is not over because the end of the job before it came late, or the server is slow. */
async function work() {
  if (isWorking || Date.now() - heardAt < ABANDONED_MS) return;
  isWorking = true;
  await runJob().finally(() => (isWorking = false));
}

async function runJob() {
  const say = async (method, type, value, headers = {}) => {
    const answer = await fetch(at(JOB), json(method, { type, label: "Render a film", value, max: FRAMES, unit: "frames", at: Date.now() }, headers));
    if (!answer.ok && answer.status !== 429) throw new Error(`status ${answer.status}`);
  };
  const before = await fetch(at(`${JOB}?offset=now`));
  // An epoch of zeros means that there is no channel.
  if (!before.headers.get("Stream-Next-Offset")?.startsWith("000000000000_")) await fetch(at(JOB), { method: "DELETE" });
  await say("PUT", "progress", 0);
  for (let frame = 1; frame < FRAMES; frame++) {
    await new Promise((done) => setTimeout(done, FRAME_MS));
    await say("POST", "progress", frame);
  }
  isWorking = false;
  await say("POST", "done", FRAMES, { "Stream-Closed": "true" });
}

/** @type {import("./stage.js").Card} */
export const card = {
  name: "progress",
  href: "progress/",
  transport: "SSE",
  text: "Jobs and uploads: any number of readers see the same bar, late ones the present state, and the stream ends with it.",
  isHeld: true,
  start: startProgress,
  act: "Run a job",
  press: work,
};
