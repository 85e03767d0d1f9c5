// @ts-check
// One job or upload: starts it, or watches it by its link.
//
// The page draws what the channel says, also in the tab that uploads: what the server has counted, not what the browser has sent.

import { Job, Refused, detail } from "./job.js";

/** @typedef {import("./progress.d.ts").JobState} JobState */

const SPEED_EVENTS = 20; // the speed is taken over so many events: five seconds
const QUIET_MS = 5_000; // without news for so long, the page says so
const BACKOFF_MS = 500; // the first delay is up to this, the next up to twice as much
const MAX_BACKOFF_MS = 10_000;
const JOB_FRAMES = 240;

const progress = { state: "start", offset: "-1", events: 0, gaps: 0, job: /** @type {JobState | undefined} */ (undefined) };
Object.assign(window, { tidewireProgress: progress }); // for the console and for tests

// ---- Watching

/** Draws the channel until it ends. An EventSource comes back by itself where it can; where it gave up we ask why. */
async function watch(url) {
  for (let failures = 0; ; failures++) {
    const stream = new EventSource(from(url));
    const over = settleable();
    const reopen = () => document.visibilityState === "visible" && over.resolve(false);
    // A stream can die in silence while nobody looks: then a new one is cheap.
    document.addEventListener("visibilitychange", reopen);
    addEventListener("online", reopen);
    stream.onopen = () => {
      failures = 0;
      show(progress.job ? "live" : "waiting");
    };
    stream.onmessage = ({ data, lastEventId }) => received(JSON.parse(data), lastEventId) && over.resolve(true);
    // The newest event says all, so what was dropped in between is no loss.
    stream.addEventListener("gap", ({ data }) => {
      progress.gaps += 1;
      progress.offset = JSON.parse(data).earliest;
    });
    stream.onerror = () => (stream.readyState === EventSource.CLOSED ? over.reject() : show("reconnecting"));
    try {
      if (await over.promise) return;
      failures = 0;
    } catch {
      if (await isFinished(url)) return;
      show("reconnecting");
      // Full jitter, so that a thousand pages do not come back in the same moment.
      await new Promise((done) => setTimeout(done, Math.random() * Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** failures)));
    } finally {
      document.removeEventListener("visibilitychange", reopen);
      removeEventListener("online", reopen);
      stream.close();
    }
  }
}

/** A promise, and what settles it. By hand: Safari before 17.4 has no `Promise.withResolvers`. */
function settleable() {
  let resolve;
  let reject;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** Asks why there is no stream. Whether there will be none. */
async function isFinished(url) {
  try {
    const response = await fetch(from(url), { cache: "no-store", signal: AbortSignal.timeout(MAX_BACKOFF_MS) });
    const text = await response.text();
    if (response.status === 410) progress.offset = "-1";
    if (response.ok && response.headers.get("Stream-Closed")) {
      // It may have ended between two streams.
      for (const event of JSON.parse(text)) received(event, response.headers.get("Stream-Next-Offset"));
      if (!isOver()) show("failed", "The channel was finished without saying how it went.");
      return true;
    }
    if ([400, 401, 403, 404].includes(response.status)) {
      show("refused");
      notify(detail(text) ?? `The server answered ${response.status}.`);
      return true;
    }
  } catch {
    // No connection: the next stream tries again.
  }
  return false;
}

function from(url) {
  const address = new URL(url);
  address.searchParams.set("offset", progress.offset);
  return address;
}

const isOver = () => progress.job?.type === "done" || progress.job?.type === "failed";

/** @type {{value: number, at: number}[]} */
let recent = [];
let heardAt = 0;

/** Takes an event; whether it is the last. */
function received(/** @type {JobState} */ job, offset) {
  progress.offset = offset;
  progress.events += 1;
  progress.job = job;
  heardAt = Date.now();
  recent = [...recent.slice(1 - SPEED_EVENTS), { value: job.value, at: job.at }];
  show(job.type === "progress" ? "live" : job.type);
  return isOver();
}

// ---- Uploading

/** The bytes go up; what the server counted of them comes down like to everybody else. */
function upload(file) {
  const name = `demo-upload-${randomId()}`;
  const url = open(name);
  const target = new URL(`-/upload/${name}?${new URLSearchParams({ name: file.name })}`, document.baseURI);
  const controller = new AbortController();
  const job = new Job(url, { label: file.name, max: file.size, unit: "bytes" });
  onCancel(async () => {
    // Said before the connection is cut, so that it stands there as what it is.
    await end(job, "cancelled", "It was cancelled.");
    controller.abort();
  });
  fetch(target, { method: "PUT", body: file, signal: controller.signal })
    .then(async (response) => {
      const text = await response.text();
      // Of what began, the channel tells the end.
      if (!response.ok && !progress.events) refused(detail(text) ?? `The server answered ${response.status}.`);
    })
    .catch(() => {
      // Cut off. The server says so in the channel, unless it is the one that is gone.
      if (!isOver()) end(job, "body-incomplete", "The connection broke off.");
    });
}

async function end(job, reason, text) {
  role("cancel").disabled = true;
  await job.fail(reason, text, progress.job?.value).catch(refused);
}

// ---- A job that does nothing, for a while

async function simulate() {
  const job = new Job(open(`demo-job-${randomId()}`), { label: "Render a film", max: JOB_FRAMES, unit: "frames" });
  let isCancelled = false;
  onCancel(() => {
    isCancelled = true;
    return end(job, "cancelled", "It was cancelled.");
  });
  try {
    await job.start();
    for (let frame = 1; frame <= JOB_FRAMES && !isCancelled; frame++) {
      await new Promise((done) => setTimeout(done, 10 + 50 * Math.random()));
      job.report(frame);
    }
    if (!isCancelled) await job.done();
  } catch (error) {
    refused(error);
  }
}

function refused(error) {
  show("refused");
  notify(error instanceof Refused || !error?.message ? error.message ?? `${error}` : "The server does not answer.");
}

// ---- The page

/** @type {(name: string) => any} the page is ours: what has a role is there */
const role = (name) => document.querySelector(`[data-role="${name}"]`);

// `./` keeps a colon in the name from being read as a scheme.
const channelUrl = (name) => new URL(`./${name.replace(/[#?%]/g, encodeURIComponent)}`, document.baseURI);
const linked = () => new URLSearchParams(location.search).get("channel");

/** Shows a channel and follows it; its link is the page's address from now on. */
function open(name) {
  const url = channelUrl(name);
  const link = new URL(`?channel=${encodeURIComponent(name)}`, document.baseURI);
  if (linked() !== name) history.pushState(null, "", link);
  role("start").hidden = true;
  role("job").hidden = false;
  role("link").value = link;
  role("label").textContent = name;
  show("connecting");
  watch(url);
  return url;
}

function onCancel(cancel) {
  role("cancel").hidden = false;
  role("cancel").onclick = cancel;
}

const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits });
/** In the job's own unit; bytes as people read them. */
function amount(value, unit) {
  if (unit !== "bytes") return `${number(value)} ${unit}`.trim();
  if (value < 1e5) return `${number(value)} B`;
  return value < 1e9 ? `${number(value / 1e6, 1)} MB` : `${number(value / 1e9, 2)} GB`;
}

/** Per second, over the newest events. */
function speed() {
  const [first, last] = [recent[0], recent.at(-1)];
  const seconds = first && last ? (last.at - first.at) / 1_000 : 0;
  return seconds > 0 && last.value > first.value ? (last.value - first.value) / seconds : 0;
}

function time(seconds) {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  return seconds < 6_000 ? `${Math.round(seconds / 60)} min` : `${number(seconds / 3_600, 1)} h`;
}

function show(state, outcome = "") {
  // What is over stays so, whatever its stream does.
  if (isOver()) state = progress.job.type;
  else if (progress.state === "refused") return;
  progress.state = state;
  role("state").textContent = role("state").dataset.state = state;
  const { job } = progress;
  if (job) {
    const rate = speed();
    const part = job.max ? Math.min(1, job.value / job.max) : undefined;
    role("job").dataset.is = job.type;
    role("label").textContent = document.title = job.label || "job";
    role("percent").textContent = part === undefined ? (job.type === "done" ? "100 %" : "–") : `${Math.floor(100 * part)} %`;
    role("amount").textContent = job.max ? `${amount(job.value, job.unit)} of ${amount(job.max, job.unit)}` : amount(job.value, job.unit);
    role("speed").textContent = rate && !isOver() ? `${amount(rate, job.unit)}/s` : "";
    role("left").textContent = rate && job.max && !isOver() ? `${time((job.max - job.value) / rate)} left` : "";
    role("sha256").textContent = job.sha256 ?? "";
    role("digest").hidden = !job.sha256;
    outcome ||= job.type === "failed" ? job.detail || job.reason : "";
    // Without a value it shows that nobody knows how much there is.
    if (part !== undefined || isOver()) role("bar").value = job.type === "done" ? 1 : part ?? 0;
    else role("bar").removeAttribute("value");
  }
  const isEnd = isOver() || state === "refused" || state === "failed";
  role("outcome").textContent = outcome;
  role("outcome").hidden = !outcome;
  role("another").hidden = !isEnd;
  if (isEnd) role("cancel").hidden = true;
}

function notify(message) {
  role("notice").textContent = message;
  role("notice").hidden = !message;
}

/** What changes with time alone. */
function tick() {
  const quietMs = Date.now() - heardAt;
  if (progress.state === "live" && quietMs > QUIET_MS) {
    role("speed").textContent = "";
    role("left").textContent = `no news for ${time(quietMs / 1_000)}`;
  }
}

/** An id that nobody else has. `crypto.randomUUID` is missing where a phone opens a laptop's page by plain HTTP. */
const randomId = () => crypto.getRandomValues(new Uint8Array(8)).reduce((id, byte) => id + byte.toString(16).padStart(2, "0"), "");

role("file").onchange = ({ target }) => target.files[0] && upload(target.files[0]);
for (const type of ["dragenter", "dragover"]) role("drop").addEventListener(type, () => role("drop").classList.add("over"));
for (const type of ["dragleave", "drop"]) role("drop").addEventListener(type, () => role("drop").classList.remove("over"));
role("simulate").onclick = simulate;
role("copy").onclick = async () => {
  role("link").select();
  // Missing on plain HTTP, refused by some: the text is selected then, and says what to do.
  const isCopied = await navigator.clipboard?.writeText(role("link").value).then(() => true, () => false);
  role("copy").textContent = isCopied ? "Copied" : "Selected";
};
addEventListener("popstate", () => location.reload());
setInterval(tick, 1_000);

const channel = linked();
const example = channelUrl(channel || "demo-film");
role("curl").textContent = channel
  ? `curl -N -H 'accept: text/event-stream' '${example}'`
  : `curl -T film.mp4 '${new URL("-/upload/demo-film?name=film.mp4", document.baseURI)}'\ncurl -N -H 'accept: text/event-stream' '${example}'`;
if (channel) open(channel);
