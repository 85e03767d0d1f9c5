// @ts-check
// What each template's card shows: the template itself, small, on a channel that all visitors share.
//
// A card is an object of the list at the end. `start` draws into its stage what it reads until `signal` ends it; then the last state stays.

import { publish, subscribe } from "./client.js";
import { hasWebSocket } from "./platform.js";

const QUIET_MS = 3_000; // after so long without a sample this page publishes one of its own
const SAMPLES = 60; // drawn
const RENEW_MS = 15_000; // a third of the presence lease
const MOVE_MS = 100; // between two positions of a cursor
const LINES = 4; // of the log
const COMPONENTS = ["Website", "API", "Payments", "E-mail"];
const STATES = ["operational", "degraded", "down"];
const STATUS_S = 5;

/** @typedef {{ stage: HTMLElement, signal: AbortSignal, enter: (state: string) => void }} Miniature */

const at = (path) => new URL(path, document.baseURI);
const json = (method, body, headers = {}) => ({ method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });

/** An element with text and attributes. */
function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** @param {string} path @param {Miniature} miniature @param {import("./client.js").SubscribeOptions<any>} options */
const follow = (path, { signal, enter }, options) => subscribe(at(path), { offset: "now", signal, onState: enter, ...options });

// ---- Chat: who is here, and where they point

const any = (list) => list[Math.floor(Math.random() * list.length)];
const me = {
  id: Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join(""),
  name: `${any(["Brave", "Calm", "Clever", "Happy", "Kind", "Lucky", "Quick", "Sunny"])} ${any(["Badger", "Dolphin", "Fox", "Heron", "Lynx", "Otter", "Puffin", "Seal"])}`,
  color: any(["#0f8b8d", "#6b4fc4", "#a8680c", "#1d6fc9", "#b8447e", "#2f8f46", "#c2452d"]),
  x: 0.2 + 0.6 * Math.random(),
  y: 0.25 + 0.4 * Math.random(),
};

/** @param {Miniature} miniature */
function startChat(miniature) {
  const { stage, signal } = miniature;
  const people = new Map();
  let last = 0;
  let planned;

  const tell = (state) => fetch(at("chat/-/presence/demo-lobby"), { ...json("POST", { id: me.id, state }), keepalive: true }).catch(() => {});
  const present = () => {
    clearTimeout(planned);
    planned = setTimeout(() => {
      last = Date.now();
      const { id, ...state } = me;
      tell(state);
    }, Math.max(0, last + MOVE_MS - Date.now()));
  };
  const move = (x, y) => {
    Object.assign(me, { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) });
    people.set(me.id, { ...me });
    present();
    draw();
  };
  const draw = () => {
    for (const cursor of stage.querySelectorAll("[data-person]")) if (!people.has(/** @type {HTMLElement} */ (cursor).dataset.person)) cursor.remove();
    for (const [id, { name, color, x, y }] of people) {
      // Who is on the page of the chat has no cursor.
      if (!(x >= 0 && y >= 0)) continue;
      let cursor = /** @type {HTMLElement} */ (stage.querySelector(`[data-person="${CSS.escape(id)}"]`));
      if (!cursor) stage.append((cursor = element("span", "", { "data-person": id })));
      cursor.textContent = id === me.id ? "you" : String(name ?? "").slice(0, 40);
      if (/^#[0-9a-f]{6}$/i.test(color)) cursor.style.setProperty("--color", color);
      cursor.style.translate = `${Math.min(1, x) * (stage.clientWidth - 18)}px ${Math.min(1, y) * (stage.clientHeight - 40)}px`;
    }
    const others = people.size - Number(people.has(me.id));
    stage.querySelector(".count").textContent = others ? `you and ${others} other${others > 1 ? "s" : ""}` : "only you: open this page in a second tab";
  };

  if (!stage.childElementCount) {
    stage.append(element("p", "", { class: "count" }), element("p", "", { class: "message" }));
    stage.tabIndex = 0;
    stage.role = "group";
    stage.ariaLabel = "Who is here. Move your cursor with the pointer or the arrow keys.";
  }
  stage.addEventListener("pointermove", ({ clientX, clientY }) => {
    const box = stage.getBoundingClientRect();
    move((clientX - box.x) / box.width, (clientY - box.y) / box.height);
  }, { signal });
  stage.addEventListener("keydown", (key) => {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key.key] ?? [0, 0];
    if (!x && !y) return;
    key.preventDefault();
    move(me.x + x / 20, me.y + y / 10);
  }, { signal });
  const renewals = setInterval(present, RENEW_MS);
  signal.addEventListener("abort", () => {
    clearInterval(renewals);
    clearTimeout(planned);
    tell(null);
  });

  follow("chat/demo-lobby", miniature, {
    // Polls carry no presence.
    transports: [hasWebSocket ? "websocket" : "sse"],
    onState: (state) => {
      miniature.enter(state);
      if (state === "live") present();
    },
    onPresence: ({ members, isSnapshot }) => {
      if (isSnapshot) people.clear();
      for (const { id, state } of members) state ? people.set(id, state) : people.delete(id);
      draw();
    },
    onEvent: ({ data }) => {
      if (data?.type === "message") stage.querySelector(".message").textContent = `${String(data.from?.name).slice(0, 40)}: ${String(data.text).slice(0, 100)}`;
    },
  });
  move(me.x, me.y);
}

function greet() {
  const { id, name, color } = me;
  return publish(at("chat/demo-lobby"), { type: "message", id: crypto.getRandomValues(new Uint32Array(4)).join("-"), from: { id, name, color }, text: "Hello!", at: Date.now() });
}

// ---- Feed: the newest of each series, and the first of them as a line

const UNITS = { _percent: " %", _kb_s: " kB/s", _ms: " ms", _1m: "" };
const SVG = "http://www.w3.org/2000/svg";
const samples = [];

/** @param {Miniature} miniature */
function startFeed(miniature) {
  const { stage, signal } = miniature;
  let quiet;
  const awaitQuiet = () => {
    clearTimeout(quiet);
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

// ---- Status: a poll now and then, most of them answered 304 to the browser

let board = {};
let boardOffset = "-1";

/** @param {Miniature} miniature */
async function startStatus({ stage, signal, enter }) {
  while (!signal.aborted) {
    let waitS = STATUS_S;
    try {
      const answer = await fetch(at("status/demo-status"), { signal });
      const value = (await answer.json()).at(-1);
      board = value && typeof value === "object" ? value : {};
      boardOffset = answer.headers.get("Stream-Next-Offset") ?? "-1";
      waitS = Number(answer.headers.get("Retry-After")) || STATUS_S;
      enter("live");
      drawBoard(stage);
    } catch {
      enter(signal.aborted ? "closed" : "waiting");
    }
    await new Promise((done) => {
      const timer = setTimeout(done, waitS * 1_000);
      for (const event of ["abort", "set"]) (event === "set" ? stage : signal).addEventListener(event, () => done(clearTimeout(timer)), { once: true });
    });
  }
}

function drawBoard(stage) {
  const rows = COMPONENTS.map((name) => {
    const { state } = Object(board[name]);
    const row = element("div", "", { "data-is": STATES.includes(state) ? state : "" });
    row.append(element("dt", name), element("dd", STATES.includes(state) ? state : "not set"));
    return row;
  });
  const list = stage.querySelector("dl") ?? stage.appendChild(element("dl"));
  list.replaceChildren(...rows);
}

/** The API, from good to bad and back. Who was slower than another asks again and sees what that one set. */
async function setStatus(stage) {
  const state = STATES[(STATES.indexOf(board.API?.state) + 1) % STATES.length];
  const all = Object.fromEntries(COMPONENTS.map((name) => [name, { state: "operational" }]));
  const body = { ...all, ...board, API: { state, since: Date.now() } };
  await fetch(at("status/demo-status"), json("POST", body, { "Stream-Seq": boardOffset }));
  stage.dispatchEvent(new Event("set"));
}

// ---- Devices: a lamp that long-polls for its commands

let isLit = false;

/** @param {Miniature} miniature */
function startDevice(miniature) {
  const { stage } = miniature;
  if (!stage.childElementCount) stage.append(element("div", "", { class: "lamp", role: "img" }), element("code"));
  const light = () => {
    stage.toggleAttribute("data-lit", isLit);
    stage.querySelector(".lamp").ariaLabel = `The lamp is ${isLit ? "on" : "off"}`;
  };
  light();
  follow("devices/demo-lamp", miniature, {
    transports: ["long-poll"],
    onEvent: ({ data }) => {
      const [, command] = String(data).trim().split(/\s+/);
      stage.querySelector("code").textContent = String(data).slice(0, 40);
      if (command === "on" || command === "off") isLit = command === "on";
      light();
    },
  });
}

function command() {
  const id = Math.random().toString(36).slice(2, 8);
  return fetch(at("devices/demo-lamp"), { method: "POST", headers: { "Content-Type": "text/plain" }, body: `${id} ${isLit ? "off" : "on"}` });
}

// ---- Progress: a job that ends, and the next in its place

const JOB = "progress/demo-gallery";
const FRAMES = 24;
const FRAME_MS = 300; // the server takes four a second
const NEXT_JOB_MS = 1_500;
const ABANDONED_MS = 3_000; // who ran it may have closed the page
let heardAt = 0;

/** @param {Miniature} miniature */
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

/** Who presses is who works. */
async function work() {
  if (Date.now() - heardAt < ABANDONED_MS) return;
  heardAt = Date.now();
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
  await say("POST", "done", FRAMES, { "Stream-Closed": "true" });
}

// ---- Notifications: what was read is an event, too

const INBOX = "notifications/demo-gallery";
const UNREAD_SHOWN = 3;
/** The notifications not read yet, by the id that their publisher gave. @type {Map<string, { offset: string, title: string }>} */
const unread = new Map();
let inboxOffset = "-1";

/** @param {Miniature} miniature */
function startInbox(miniature) {
  const { stage } = miniature;
  if (!stage.childElementCount) {
    const button = element("button", "Mark all read");
    button.onclick = () => publish(at(INBOX), { type: "read-all", upTo: inboxOffset });
    stage.append(element("p"), element("ul"), button);
  }
  drawInbox(stage);
  follow(INBOX, miniature, {
    transports: ["sse"],
    offset: inboxOffset,
    onEvent: ({ offset, data }) => {
      inboxOffset = offset;
      if (data?.type === "notification") unread.set(data.id, { offset, title: String(data.title) });
      for (const [id, one] of unread) {
        // Offsets sort as text.
        if ((data?.type === "read" && one.offset === data.offset) || (data?.type === "read-all" && one.offset <= data.upTo)) unread.delete(id);
      }
      drawInbox(stage);
    },
  });
}

function drawInbox(stage) {
  stage.querySelector("p").textContent = unread.size ? `${unread.size} unread` : "Nothing unread";
  stage.querySelector("button").disabled = !unread.size;
  stage.querySelector("ul").replaceChildren(...[...unread.values()].slice(-UNREAD_SHOWN).reverse().map(({ title }) => element("li", title.slice(0, 60))));
}

function notify() {
  const now = new Date();
  const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  return publish(at(INBOX), { type: "notification", id, title: `${me.name} pressed the button at ${now.toTimeString().slice(0, 8)}`, body: "", at: now.getTime() });
}

// ---- Streams: the raw log

const LOG = "v1/stream/demo-gallery";

/** @param {Miniature} miniature */
async function startStream(miniature) {
  const { stage, signal } = miniature;
  if (!stage.childElementCount) {
    const code = `curl -N '${at(LOG)}?offset=-1&live=sse'`;
    stage.append(element("ol"), element("pre", code));
  }
  // An hour after the last read or append it is gone.
  await fetch(at(LOG), { method: "PUT", headers: { "Content-Type": "application/json", "Stream-TTL": "3600" } }).catch(() => {});
  if (signal.aborted) return;
  follow(LOG, miniature, {
    transports: ["sse"],
    onEvent: ({ offset, data }) => {
      const list = stage.querySelector("ol");
      const line = element("li");
      line.append(element("b", `…${offset.slice(-6)}`), ` ${JSON.stringify(data).slice(0, 60)}`);
      list.append(line);
      while (list.children.length > LINES) list.firstElementChild.remove();
    },
  });
}

/**
 * The cards, in their order. `isHeld`: it keeps a connection. `text` is HTML of ours.
 *
 * @type {{ name: string, href?: string, transport: string, text: string, isHeld: boolean, start: (miniature: Miniature) => void,
 *   act: string, press: (stage: HTMLElement) => Promise<unknown> }[]}
 */
export const MINIATURES = [
  {
    name: "chat",
    href: "chat/",
    transport: hasWebSocket ? "WebSocket" : "SSE",
    text: "Rooms: history, who is here, who is typing. The cursors are the visitors of this page.",
    isHeld: true,
    start: startChat,
    act: "Say hello",
    press: greet,
  },
  {
    name: "feed",
    href: "feed/",
    transport: "SSE",
    text: "Live dashboards. <code>cargo harness demo</code> publishes what this machine does; while nobody publishes, your page does.",
    isHeld: true,
    start: startFeed,
    act: "Publish a sample",
    press: measure,
  },
  {
    name: "devices",
    href: "devices/",
    transport: "long poll",
    text: "Commands for things that can only ask: a shell loop with <code>curl</code> waits for the next one.",
    isHeld: true,
    start: startDevice,
    act: "Switch the lamp",
    press: command,
  },
  {
    name: "status",
    href: "status/",
    transport: "short poll",
    text: "A status that changes rarely, asked for every few seconds; most answers are only “nothing new”.",
    isHeld: false,
    start: startStatus,
    act: "Set the API",
    press: setStatus,
  },
  {
    name: "progress",
    href: "progress/",
    transport: "SSE",
    text: "Jobs and uploads: any number of readers see the same bar, late ones the present state, and the stream ends with it.",
    isHeld: true,
    start: startProgress,
    act: "Run a job",
    press: work,
  },
  {
    name: "notifications",
    href: "notifications/?channel=demo-gallery",
    transport: "SSE",
    text: "One channel for each user. What is read in one tab is read in all of them, and who comes back catches up.",
    isHeld: true,
    start: startInbox,
    act: "Notify",
    press: notify,
  },
  {
    name: "streams",
    transport: "SSE",
    text: "The raw log, as Durable Streams describe it: create a stream, append to it, read it live.",
    isHeld: true,
    start: startStream,
    act: "Append",
    press: () => publish(at(LOG), { clicked: new Date().toISOString().slice(11, 19) }),
  },
];
