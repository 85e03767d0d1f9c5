// @ts-check
// The status board: asks for its channel as often as the server suggests, and sets it.
//
// One channel holds the whole board, {"API": {"state": "down", "note": "…", "since": ms}, …}, so a page needs one request.

/** @typedef {import("./status.d.ts").Board} Board */

const COMPONENTS = ["Website", "API", "Payments", "E-mail"]; // on the board before anything was set
const STATES = { operational: "Operational", degraded: "Degraded", down: "Down" }; // from good to bad
const MAX_COMPONENTS = 24; // anybody may set an open channel, so the page draws no more than this
const INTERVAL_S = 5; // where the server suggests none
const MAX_WAIT_S = 60; // between polls that fail
const TIMEOUT_MS = 10_000; // for an answer to begin, and between two pieces of it
const TRIES = 5; // to set a component while others set theirs, or the network is away

const channel = new URLSearchParams(location.search).get("channel") || "demo-status";
// `./` keeps a colon in the name from being read as a scheme.
const channelUrl = new URL(`./${channel.replace(/[#?%]/g, encodeURIComponent)}`, document.baseURI);

const status = { polls: 0, notModified: 0, savedBytes: 0, offset: "-1", intervalS: INTERVAL_S };
Object.assign(window, { tidewireStatus: status }); // for the console and for tests

// ---- Polling

/** @type {Board} */
let board = {};
let seen = { bytes: 0 }; // the ETag of the last 200, and the length of its body
let failures = 0;
let current = new AbortController();
let timer;
let wait = { from: 0, until: 0 };

/** Asks once and plans the next time. `cache` is "reload" after a change of ours: a cache on the way may still have what was before it. */
async function poll(cache = "default") {
  clearTimeout(timer);
  current.abort();
  if (document.hidden) return show("paused");
  current = new AbortController();
  const { signal } = current;
  wait = { from: 0, until: 0 };
  let waitS;
  try {
    waitS = await ask(signal, cache);
    failures = 0;
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Stop) return show(error.state, error.message);
    show("reconnecting");
    waitS = Math.min(MAX_WAIT_S, status.intervalS * 2 ** failures++);
  }
  // Never before the time that was suggested, and a little after it, so that a thousand pages do not come in the same moment.
  const waitMs = waitS * 1_000 * (1 + Math.random() / 10);
  wait = { from: Date.now(), until: Date.now() + waitMs };
  timer = setTimeout(poll, waitMs);
}

/** One request; answers in how many seconds the next is welcome. */
async function ask(signal, cache) {
  const headers = seen.etag ? { "If-None-Match": seen.etag } : {};
  const { response, body } = await request(channelUrl, { headers, cache }, signal);
  signal.throwIfAborted();
  if (response.status === 408 || response.status === 429 || response.status >= 500) throw new Error(`status ${response.status}`);
  if (response.status >= 400) throw new Stop("refused", problem(response, body));
  status.polls += 1;
  if (response.status === 304) {
    status.notModified += 1;
    status.savedBytes += seen.bytes;
  } else {
    // An array of the newest value; empty as long as nothing was set.
    const value = JSON.parse(body).at(-1);
    board = value && typeof value === "object" ? value : {};
    seen = { etag: response.headers.get("ETag"), bytes: new TextEncoder().encode(body).length };
    status.offset = response.headers.get("Stream-Next-Offset");
  }
  status.intervalS = Number(response.headers.get("Retry-After")) || INTERVAL_S;
  if (response.headers.get("Stream-Closed")) throw new Stop("finished", "The channel is finished: it will not change any more.");
  show("live");
  return status.intervalS;
}

/**
 * The answer and its body. TIMEOUT_MS is for the head, and then for each piece of the body, so that a long one comes over a slow line, too.
 * By hand: Safari before 17.4 has no `AbortSignal.any`.
 */
async function request(url, options, signal) {
  signal.throwIfAborted();
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal.addEventListener("abort", abort);
  let timer = setTimeout(abort, TIMEOUT_MS);
  try {
    const response = await fetch(url, { ...options, signal: controller.signal });
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    for (let body = ""; ; ) {
      clearTimeout(timer);
      timer = setTimeout(abort, TIMEOUT_MS);
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) return { response, body };
      body += decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** Asking again is of no use: finished, or refused. */
class Stop extends Error {
  constructor(state, message) {
    super(message);
    this.state = state;
  }
}

function problem(response, body) {
  try {
    const { title, detail } = JSON.parse(body);
    return detail ?? title;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

// ---- Setting

let settled = Promise.resolve();

/** Changes one component. One change after the other, since each is made to what the one before it left. */
function set(component, change) {
  settled = settled.then(() => trySet(component, change));
}

async function trySet(component, change) {
  notify("");
  for (let tries = 0; tries < TRIES; tries++) {
    const before = board[component];
    const since = change.state && change.state !== before?.state ? { since: Date.now() } : {};
    // Stream-Seq has to rise, and offsets do. Who read the same board as another, but was slower, gets 409 instead of undoing the other's change.
    // So does who sends a change again whose answer was lost.
    const response = await fetch(channelUrl, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Stream-Seq": status.offset },
      body: JSON.stringify({ ...board, [component]: { state: "operational", ...before, ...change, ...since } }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch(() => undefined);
    const body = await response?.text().catch(() => "");
    if (!response || response.status >= 500) await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
    await poll("reload");
    if (response?.ok) return;
    if (response && response.status < 500 && !body.includes("sequence-not-rising")) return notify(problem(response, body));
  }
  notify(`${component} was not set: the server does not answer, or others keep setting the board.`);
}

// ---- The page

/** @type {(name: string) => any} the page is ours: what has a role is there */
const role = (name) => document.querySelector(`[data-role="${name}"]`);
const rows = new Map();
const moment = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function addRow(name) {
  const row = /** @type {any} */ (document.querySelector("template").content.firstElementChild.cloneNode(true));
  const note = row.querySelector("textarea");
  row.dataset.component = row.querySelector("h2").textContent = name;
  row.querySelector(".states").ariaLabel = `State of ${name}`;
  note.ariaLabel = `Note on ${name}`;
  // With Enter, and with leaving the field.
  note.onchange = () => note.value !== (board[name]?.note ?? "") && set(name, { note: note.value });
  note.onkeydown = (key) => {
    if (key.key !== "Enter" || key.isComposing) return;
    key.preventDefault();
    note.onchange();
  };
  for (const button of row.querySelectorAll("button")) button.onclick = () => set(name, { state: button.dataset.set });
  document.querySelector("main").append(row);
  rows.set(name, row);
}

function paintRow(name, row) {
  const { state, note, since } = Object(board[name]);
  const isKnown = Object.hasOwn(STATES, state);
  row.dataset.is = isKnown ? state : "";
  row.querySelector("output").textContent = isKnown ? STATES[state] : "Not set";
  for (const button of row.querySelectorAll("button")) {
    button.ariaPressed = button.dataset.set === state;
    button.disabled = !isRead;
  }
  const field = row.querySelector("textarea");
  field.disabled = !isRead;
  // Not under the hands of who is writing.
  if (field !== document.activeElement) field.value = typeof note === "string" ? note : "";
  const time = row.querySelector("time");
  const isDated = since > 0 && since < 8.64e15;
  time.textContent = isDated ? `since ${moment.format(since)}` : "";
  time.dateTime = isDated ? new Date(since).toISOString() : "";
}

function summary() {
  if (!isRead) return ["", "Asking …"];
  const states = [...rows.keys()].map((name) => board[name]?.state);
  const bad = ["down", "degraded"].map((state) => [state, states.filter((each) => each === state).length]).filter(([, count]) => count);
  if (bad.length) return [bad[0][0], bad.map(([state, count]) => `${count} ${state}`).join(", ")];
  return states.includes("operational") ? ["operational", "All operational"] : ["", "Nothing is set yet: set a component below"];
}

let isRead = false;

function show(state, message) {
  if (state === "live" || state === "finished") isRead = true;
  role("state").textContent = role("state").dataset.state = state;
  if (message) notify(message);
  for (const name of [...COMPONENTS, ...Object.keys(board)]) if (!rows.has(name) && rows.size < MAX_COMPONENTS) addRow(name);
  for (const [name, row] of rows) paintRow(name, row);
  const [worst, text] = summary();
  role("summary").dataset.is = worst;
  // A screen reader says it anew whenever it is written.
  if (role("summary").textContent !== text) role("summary").textContent = text;
  role("polls").textContent = status.polls.toLocaleString("en");
  role("not-modified").textContent = status.notModified.toLocaleString("en");
  role("saved").textContent = size(status.savedBytes);
  role("offset").textContent = role("offset").title = status.offset;
  tick();
}

function notify(message) {
  role("notice").textContent = message;
  role("notice").hidden = !message;
}

const size = (bytes) => (bytes < 1e4 ? `${bytes.toLocaleString("en")} B` : `${(bytes / 1e3).toLocaleString("en", { maximumFractionDigits: 0 })} kB`);

/** What changes with time alone. */
function tick() {
  const { state } = role("state").dataset;
  const isWaiting = state === "live" || state === "reconnecting";
  const left = Math.max(0, wait.until - Date.now());
  role("next").textContent = !isWaiting ? (state === "paused" ? "when seen" : "–") : left ? `${Math.ceil(left / 1_000)} s` : "now";
  document.querySelector("progress").value = isWaiting && left ? 1 - left / (wait.until - wait.from) : 0;
}

document.title = `${channel} · Tidewire`;
role("channel").textContent = channel;
role("curl").textContent =
  `curl -i '${channelUrl}' -H 'if-none-match: "…"'\n` +
  `curl '${channelUrl}' -H 'content-type: application/json' \\\n  -d '{"API": {"state": "down", "note": "disk full", "since": ${Date.now()}}}'`;
role("poll").onclick = () => poll();
// A page that nobody sees asks nothing; it asks at once when it is seen again, or the network is back.
document.addEventListener("visibilitychange", () => poll());
addEventListener("online", () => poll());
setInterval(tick, 250);
show("connecting");
poll();
