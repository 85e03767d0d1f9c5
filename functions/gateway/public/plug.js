// @ts-check
// Pull the plug: one publisher, and lanes that read what it sends while their network is cut, their transport changed, their reading stalled.

import { publisher } from "./client.js";
import { ChannelLane, NaiveSocketLane, NaiveSseLane } from "./lanes.js";
import * as line from "./line.js";
import { hasWebSocket } from "./platform.js";
import { NAMES, number, paintLane } from "./rows.js";
import { SLOTS, takeSlot } from "./slots.js";

const EVERY_MS = 200;
const MOST_EVENTS = 600; // of one run: two minutes, for a page that is left open
const MOST_WAITING = 100; // publishes under way; a server that is away is not buried under them
const PAUSE_MS = 5_000; // of the network, and of reading
const OPEN_MS = 4_000; // the first event is not sent before all lanes are open, but does not wait for ever
const LINGER_MS = 2_500; // what is under way still arrives after the last event

const name = `demo-plug-${Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("")}`;
const channelUrl = new URL(`feed/${name}`, document.baseURI);
const roomUrl = new URL(`-/naive/${name}`, document.baseURI);

const naive = [...(hasWebSocket ? [new NaiveSocketLane(roomUrl)] : []), new NaiveSseLane(roomUrl)];
const transports = Object.keys(NAMES).filter((transport) => hasWebSocket || transport !== "websocket");
const ours = transports.map((transport) => new ChannelLane(transport, channelUrl));
const lanes = [...naive, ...ours];

/** @type {(name: string) => any} the page is ours: what has a role is there */
const role = (name) => document.querySelector(`[data-role="${name}"]`);

const plug = {
  sent: 0,
  isRunning: false,
  /** What was pulled: nothing, `cut` or `stall`. */
  pulled: "",
  get lanes() {
    return lanes.map(({ id, state, transport, received, lost, doubled }) => ({ id, state, transport, received, lost, doubled }));
  },
};
Object.assign(window, { tidewirePlug: plug }); // for the console and for tests

// ---- The publisher, which no cut reaches

const send = publisher(channelUrl, { attempts: Infinity, backoff: { capMs: 1_000 } });
let waiting = 0;
let ticking;
let left = 0;
let isSeen = true;

function publish() {
  if (waiting >= MOST_WAITING) return;
  if (left-- === 0 || document.hidden || !isSeen) return pause();
  plug.sent += 1;
  /** @type {import("./lanes.js").PlugEvent} */
  const event = { n: plug.sent, at: Date.now() };
  waiting += 1;
  // What fails for a while is tried again until it is stored; the rest is a refusal.
  send(event)
    .catch(({ message }) => {
      pause();
      say(message);
    })
    .finally(() => (waiting -= 1));
  // As everyone writes it first: sent once, to whoever is there.
  fetch(roomUrl, { method: "POST", body: JSON.stringify(event) }).catch(() => {});
  repaint();
}

// ---- What the buttons do

let slots = [];
let closing;
let isOpening = false;

async function start() {
  isOpening = true;
  try {
    await open();
  } finally {
    isOpening = false;
  }
}

async function open() {
  plug.isRunning = true;
  left = MOST_EVENTS;
  clearTimeout(closing);
  say("Opening the lanes …");
  if (!slots.length) {
    // The miniatures give theirs back.
    dispatchEvent(new Event("plug"));
    for (let tries = 0; slots.length < SLOTS && tries < 20; tries++) {
      const slot = await takeSlot();
      if (slot) slots.push(slot);
      else await new Promise((done) => setTimeout(done, 50));
    }
    if (slots.length < SLOTS) {
      close();
      return say("Other tabs of this page hold the streams that a browser has for one host. Close them, or pause there.");
    }
    for (const lane of lanes) lane.start();
    const until = Date.now() + OPEN_MS;
    while (lanes.some((lane) => lane.state !== "live") && Date.now() < until) await new Promise((done) => setTimeout(done, 50));
  }
  ticking = setInterval(publish, EVERY_MS);
  say();
}

function pause() {
  // A second pause would leave the first one's timer behind, which closes the lanes of the next run.
  if (!ticking) return;
  clearInterval(ticking);
  ticking = undefined;
  plug.isRunning = false;
  closing = setTimeout(close, LINGER_MS);
  say(document.hidden || left > 0 ? "Paused. Every lane goes on from where it is." : "Paused after two minutes. Every lane goes on from where it is.");
}

function close() {
  plug.isRunning = false;
  for (const lane of slots.length === SLOTS ? lanes : []) lane.stop();
  for (const release of slots.splice(0)) release();
  dispatchEvent(new Event("plug"));
  repaint();
}

/** For five seconds. */
function pull(what, begin, end, words) {
  const before = naive.map(({ lost }) => lost);
  plug.pulled = what;
  begin();
  const until = Date.now() + PAUSE_MS;
  const countdown = setInterval(() => {
    const leftMs = until - Date.now();
    if (leftMs > 0) return say(`${words} ${Math.ceil(leftMs / 1_000)} s left.`);
    clearInterval(countdown);
    end();
    plug.pulled = "";
    say(what === "cut" ? "Connected again: the lanes of the channel ask for what they missed; the naive ones have no way to ask." : undefined);
  }, 100);
  say(words);
}

function change() {
  for (const lane of ours) {
    const next = transports[(transports.indexOf(lane.transport) + 1) % transports.length];
    lane.change(next);
  }
  say("Each lane of the channel reads on over the next transport, after its offset. What an event costs is counted from here.");
}

// ---- The page

let frame = 0;

function repaint() {
  frame ||= requestAnimationFrame(paint);
}

function paint() {
  frame = 0;
  role("start").textContent = plug.isRunning ? "Pause" : plug.sent ? "Go on" : "Start";
  for (const button of ["cut", "change", "stall"]) role(button).disabled = !slots.length || Boolean(plug.pulled);
  role("plug").dataset.pulled = plug.pulled;
  role("sent").textContent = number(plug.sent);
  for (const lane of lanes) paintLane(lane, rows.get(lane), plug.sent);
}

function say(words = plug.isRunning ? "Five events a second. Now pull the plug." : "") {
  if (role("said").textContent !== words) role("said").textContent = words;
  repaint();
}

/** @type {Map<any, any>} */
const rows = new Map();
for (const [group, members] of /** @type {[string, any[]][]} */ ([["naive", naive], ["channel", ours]])) {
  for (const lane of members) {
    const row = /** @type {any} */ (role("lane")).content.firstElementChild.cloneNode(true);
    row.dataset.lane = lane.id;
    role(group).append(row);
    rows.set(lane, row);
    lane.changed = repaint;
  }
}
role("no-websocket").hidden = hasWebSocket;
role("start").onclick = () => isOpening || (plug.isRunning ? pause() : start());
role("cut").onclick = () => pull("cut", line.cut, line.mend, "The readers' connections are closed, and none gets through.");
role("stall").onclick = () => pull("stall", line.stall, line.release, "The readers do not read.");
role("change").onclick = change;
// Who reads the cards below wants to see those live.
new IntersectionObserver((changes) => {
  // Of several changes at once the last is how it is now.
  isSeen = changes.at(-1).isIntersecting;
  if (!isSeen) pause();
}).observe(role("plug"));
addEventListener("resize", repaint);
matchMedia("(prefers-color-scheme: dark)").onchange = repaint;
repaint();

/** Whether the plug has the streams of this page. */
export const isPlugRunning = () => plug.isRunning || slots.length > 0;
