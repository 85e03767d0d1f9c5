// @ts-check
// The live dashboard: one reader per transport, all sharing one offset, and a chart for each series.
//
// The readers follow PROTOCOL.md. Whatever transport is on, `feed.offset` is the last event seen; the next
// reader starts after it, so a change of transport neither loses nor repeats an event. Who wants the newest values alone
// begins with one page of them, and is given no more than that after a break.

/** @typedef {import("./feed.d.ts").Sample} Sample */

const SAMPLES = 120; // as many as a chart shows
const MAX_SERIES = { all: 24, latest: 200 }; // anybody may publish to an open channel, so the page draws no more charts than this
const LATENCIES = 30; // the median is taken over so many events
const QUIET_MS = 3_000; // after this long without an event the page says what to run
const POLL_MS = 1_000; // short poll
const ANSWER_MS = 10_000; // for a page to begin, and between two pieces of it
const LONG_POLL_MS = 60_000; // for a long poll to begin: twice what servers hold it
const PING_MS = 25_000; // below the 30 s and more after which proxies cut a silent connection
const BACKOFF_MS = 500; // the first delay is up to this, the next up to twice as much
const MAX_BACKOFF_MS = 10_000;

const channel = new URLSearchParams(location.search).get("channel") || "demo-machine";
// `./` keeps a colon in the name from being read as a scheme.
const channelUrl = new URL(`./${channel.replace(/[#?%]/g, encodeURIComponent)}`, document.baseURI);

// The server of this page says what it offers, where that is not all.
const offer = document.querySelector("meta[name=tidewire-transports]")?.getAttribute("content");
const isOffered = (transport) => !offer || offer.split(" ").includes(transport);

const feed = { transport: "sse", view: "all", offset: "-1", events: 0, gaps: 0 };
Object.assign(window, { tidewireFeed: feed }); // for the console and for tests

// ---- What a reader tells the page

function received(event, offset) {
  feed.events += 1;
  feed.offset = offset;
  draw(event);
}

/** The past was dropped, or the channel was made anew: go on from the earliest event there is. */
function gap(earliest) {
  // A stream that ends before its first event may tell the same gap again.
  if (earliest === feed.offset) return;
  feed.gaps += 1;
  feed.offset = earliest;
  breakLines();
}

/** Nothing more will come on any transport: finished, or refused. */
class Stop extends Error {
  constructor(state, message) {
    super(message);
    this.state = state;
  }
}

/** The server is there but takes no WebSocket: a browser cannot tell the two apart by the failure alone. */
class NoWebSocket extends Error {}

const finished = () => new Stop("finished", "The channel is finished: no more events will come.");

// ---- Readers: each runs one connection or one request, and returns or throws when it is over

const readers = { websocket, sse, "long-poll": longPoll, poll: shortPoll };
let failures = 0;
let current = new AbortController();

/** Begins anew, with all that is kept or with the newest event of each series. */
function begin(view) {
  Object.assign(feed, { view, offset: "-1", events: 0, gaps: 0 });
  series.clear();
  charts.replaceChildren();
  charts.dataset.view = view;
  read(feed.transport);
}

async function read(transport) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  feed.transport = transport;
  failures = 0;
  show("connecting");
  while (!signal.aborted) {
    try {
      if (feed.view === "latest" && role("state").dataset.state !== "live") await catchUp(signal);
      await readers[transport](signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Stop) return show(error.state, error.message);
      if (error instanceof NoWebSocket) return read("sse");
      show("reconnecting");
      // Full jitter, so that a thousand pages do not come back in the same moment.
      await sleep(Math.random() * Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** failures++));
    }
  }
}

function connected() {
  failures = 0;
  show("live");
}

/** All that was missed, as the newest event of each series. */
async function catchUp(signal) {
  while (!(await page({ view: "latest" }, signal)).headers.get("Stream-Up-To-Date"));
}

/** @returns {Promise<void>} */
function websocket(signal) {
  return new Promise((resolve, reject) => {
    const url = from({});
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, "tidewire.v1");
    let refusal = "The server refused the connection.";
    let greeted = false;
    let heard = false;
    let unacknowledged = 0;
    let ackBytes = Infinity;

    const end = (error) => {
      clearInterval(pings);
      // A socket that is closing may still have frames to give: they belong to the next reader.
      socket.onmessage = socket.onclose = null;
      socket.close();
      error ? reject(error) : resolve();
    };
    signal.onabort = () => end();
    const pings = setInterval(() => {
      if (!heard) return end(new Error("nothing was heard"));
      heard = false;
      socket.send("ping");
    }, PING_MS);
    socket.onmessage = ({ data }) => {
      heard = true;
      if (data === "pong") return;
      const frame = JSON.parse(data);
      if (frame.type === "hello") {
        greeted = true;
        ackBytes = frame.ackBytes ?? Infinity;
        connected();
      } else if (frame.type === "events") frame.events.forEach((event) => received(event.data, event.offset));
      else if (frame.type === "gap") gap(frame.earliest);
      else if (frame.type === "error") refusal = frame.detail ?? frame.code;
      // Without it the server takes the page for too slow and closes the connection.
      unacknowledged += data.length;
      if (frame.type === "events" && unacknowledged >= ackBytes) {
        unacknowledged = 0;
        socket.send(JSON.stringify({ type: "ack", offset: feed.offset }));
      }
    };
    socket.onclose = ({ code }) => {
      if (code === 1000) end(finished());
      else if (code === 1003 || code === 1009 || code >= 3500) end(new Stop("refused", refusal));
      else if (greeted) end(new Error(`closed with ${code}`));
      else page({}, signal).then(() => end(new NoWebSocket()), end);
    };
  });
}

/** @returns {Promise<void>} */
function sse(signal) {
  return new Promise((resolve, reject) => {
    // Resumes by itself: the browser sends the last id it saw, which beats the offset in the address.
    const source = new EventSource(from({}));
    signal.onabort = () => {
      source.close();
      resolve();
    };
    source.onopen = connected;
    source.onmessage = ({ data, lastEventId }) => received(JSON.parse(data), lastEventId);
    source.addEventListener("gap", ({ data }) => gap(JSON.parse(data).earliest));
    source.onerror = () => {
      show("reconnecting");
      if (source.readyState !== EventSource.CLOSED) return;
      // The browser gave up and does not tell why. A plain read does.
      page({}, signal).then(() => reject(new Error("the stream was not served")), reject);
    };
  });
}

let cursor; // from the last long poll, for caches on the way

async function longPoll(signal) {
  // A long poll may be silent for half a minute; a plain read tells at once that the server is there.
  if (role("state").dataset.state !== "live") await page({}, signal);
  connected();
  const response = await page({ live: "long-poll", ...(cursor && { cursor }) }, signal);
  cursor = response.headers.get("Stream-Cursor");
}

let seen = {}; // the ETag of the last short poll, and the offset it was for

async function shortPoll(signal) {
  const { offset } = feed;
  const headers = seen.offset === offset && seen.etag ? { "If-None-Match": seen.etag } : {};
  const response = await page(feed.view === "latest" ? { view: "latest" } : {}, signal, headers);
  connected();
  if (response.status === 200) seen = { offset, etag: response.headers.get("ETag") };
  // A page that ends before the tail is followed by the next one at once.
  if (response.headers.get("Stream-Up-To-Date") || feed.offset === offset) await sleep(POLL_MS);
}

/** Reads what follows the offset, in one request. */
async function page(query, signal, headers) {
  const { response, body } = await request(from(query), { headers, cache: "no-store" }, signal, query.live ? LONG_POLL_MS : ANSWER_MS);
  signal.throwIfAborted();
  if (response.status === 410) {
    gap(JSON.parse(body).earliest);
  } else if (response.status === 408 || response.status === 429 || response.status >= 500) {
    throw new Error(`status ${response.status}`);
  } else if (response.status >= 400) {
    throw new Stop("refused", problem(response, body));
  } else {
    // A page has one offset, that of its end. No await between here and there, so a page counts whole or not at all.
    const next = response.headers.get("Stream-Next-Offset") ?? feed.offset;
    if (response.status === 200) JSON.parse(body).forEach((event) => received(event, next));
    feed.offset = next;
    if (response.headers.get("Stream-Closed")) throw finished();
  }
  return response;
}

/**
 * The answer and its body. `headMs` is for the head alone; then each piece of the body has ANSWER_MS, so that a long one comes over a slow line, too.
 * By hand: Safari before 17.4 has no `AbortSignal.any`.
 */
async function request(url, options, signal, headMs) {
  signal.throwIfAborted();
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal.addEventListener("abort", abort);
  let timer = setTimeout(abort, headMs);
  try {
    const response = await fetch(url, { ...options, signal: controller.signal });
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    for (let body = ""; ; ) {
      clearTimeout(timer);
      timer = setTimeout(abort, ANSWER_MS);
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) return { response, body };
      body += decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

function from(query) {
  const url = new URL(channelUrl);
  url.search = new URLSearchParams({ offset: feed.offset, ...query }).toString();
  return url;
}

function problem(response, body) {
  try {
    const { title, detail } = JSON.parse(body);
    return detail ?? title;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// ---- Charts

const UNITS = { _percent: "%", _kb_s: "kB/s", _ms: "ms", _1m: "1 min" };
const openedAt = Date.now();
const series = new Map();
const latencies = [];

/** @param {Partial<Sample> | null} event Anybody may publish to an open channel, so anything may be missing. */
function draw(event) {
  const { at, values } = event ?? {};
  // What was published before the page was opened is history: its age is not latency.
  if (at >= openedAt) latencies.push(Date.now() - at);
  if (latencies.length > LATENCIES) latencies.shift();
  for (const [key, value] of Object.entries(values ?? {})) {
    if (!Number.isFinite(value) || (!series.has(key) && series.size === MAX_SERIES[feed.view])) continue;
    if (!series.has(key)) series.set(key, { samples: [], chart: addChart(key) });
    push(series.get(key).samples, value);
    series.get(key).at = at;
  }
  awaitQuiet();
  repaint();
}

/** A missing sample: the line stops and begins anew, so that a gap is seen. */
function breakLines() {
  for (const { samples } of series.values()) if (samples.at(-1) !== null) push(samples, null);
  repaint();
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
  const next = feed.view === "latest" && [...charts.children].find((other) => byName.compare(other.dataset.series, key) > 0);
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
  chart.querySelector("small").textContent = feed.view === "latest" ? age(at) : `${short(low)} – ${short(high)}`;
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

// ---- The page

/** @type {(name: string) => HTMLElement} */
const role = (name) => document.querySelector(`[data-role="${name}"]`);
/** @type {NodeListOf<HTMLButtonElement>} */
const buttons = document.querySelectorAll("[data-transport]");
/** @type {NodeListOf<HTMLButtonElement>} */
const views = document.querySelectorAll("button[data-view]");
/** @type {any} */
const charts = document.querySelector("main");
let isQuiet;
let quietTimer;
let frame = 0;

function awaitQuiet() {
  isQuiet = false;
  clearTimeout(quietTimer);
  quietTimer = setTimeout(() => {
    isQuiet = true;
    repaint();
  }, QUIET_MS);
}

/** However many events arrive, the page is painted once per frame. */
function repaint() {
  frame ||= requestAnimationFrame(paint);
}

function paint() {
  frame = 0;
  for (const each of series.values()) paintChart(each);
  const sorted = latencies.toSorted((a, b) => a - b);
  role("latency").textContent = sorted.length ? `${number(sorted[sorted.length >> 1])} ms` : "–";
  role("events").textContent = feed.events.toLocaleString("en");
  role("gaps").textContent = number(feed.gaps);
  role("offset").textContent = role("offset").title = feed.offset;
  role("hint").hidden = !isQuiet || role("state").dataset.state !== "live";
}

function show(state, message = "") {
  role("state").textContent = role("state").dataset.state = state;
  role("notice").textContent = message;
  role("notice").hidden = !message;
  for (const button of buttons) {
    const isOn = button.dataset.transport === feed.transport;
    button.ariaPressed = String(isOn);
    if (isOn) role("transport").textContent = button.textContent;
  }
  for (const button of views) button.ariaPressed = String(button.dataset.view === feed.view);
  repaint();
}

document.title = `${channel} · Tidewire`;
role("channel").textContent = channel;
role("curl").textContent =
  `curl '${channelUrl}' -H 'content-type: application/json' \\\n  -d '{"values": {"cpu_percent": 12.5}}'`;
for (const button of buttons) {
  button.disabled = !isOffered(button.dataset.transport);
  if (button.disabled) role("no-websocket").hidden = false;
  button.onclick = () => read(button.dataset.transport);
}
for (const button of views) button.onclick = () => begin(button.dataset.view);
// The age of what does not change.
setInterval(() => feed.view === "latest" && repaint(), 1_000);
awaitQuiet();
begin(new URLSearchParams(location.search).get("view") === "latest" ? "latest" : "all");
