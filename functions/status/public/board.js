// @ts-check
// The board: asks for its channel as often as the server suggests, and sets it.
//
// One channel holds the whole board, {"API": {"state": "down", "note": "…", "since": ms}, …}, so a page needs one request. By hand and not by the
// client's `subscribe`, because most answers are a 304 that costs nothing, and what it saves is shown.

import { access } from "./access.js";
import { request } from "./client.js";

/** @typedef {import("./status.d.ts").Board} Board */

const INTERVAL_S = 5; // where the server suggests none
const MAX_WAIT_S = 60; // between polls that fail
const TRIES = 5; // to set a component while others set theirs, or the network is away

export const channel = new URLSearchParams(location.search).get("channel") || "demo-status";
// `./` keeps a colon in the name from being read as a scheme.
export const channelUrl = new URL(`./${channel.replace(/[#?%]/g, encodeURIComponent)}`, document.baseURI);

export const status = {
  polls: 0,
  notModified: 0,
  savedBytes: 0,
  offset: "-1",
  intervalS: INTERVAL_S,
  /** @type {Board} */
  board: {},
  /** Between which two times the page waits, in milliseconds since 1970. */
  wait: { from: 0, until: 0 },
};

// ---- Polling

let seen = { etag: "", bytes: 0 }; // of the last 200: its ETag, and the length of its body
let failures = 0;
let current = new AbortController();
let timer;
/** @type {(state: string, message?: string) => void} */
let show;

/** Asks from now on; `shown` is called with each state, and what is wrong where it is. */
export function follow(shown) {
  show = shown;
  // A page that nobody sees asks nothing; it asks at once when it is seen again, or the network is back.
  document.addEventListener("visibilitychange", () => poll());
  addEventListener("online", () => poll());
  show("connecting");
  poll();
}

/** Asks once and plans the next time. `cache` is "reload" after a change of ours: a cache on the way may still have what was before it. */
export async function poll(cache = "default") {
  clearTimeout(timer);
  current.abort();
  if (document.hidden) return show("paused");
  current = new AbortController();
  const { signal } = current;
  status.wait = { from: 0, until: 0 };
  let waitS;
  try {
    waitS = await ask(signal, cache);
    failures = 0;
  } catch (error) {
    if (signal.aborted) return;
    if (error.retryable === false) return show("refused", error.detail);
    show("reconnecting");
    waitS = Math.min(MAX_WAIT_S, status.intervalS * 2 ** failures++);
  }
  if (!waitS) return show("finished", "The channel is finished: it will not change any more.");
  // Never before the time that was suggested, and a little after it, so that a thousand pages do not come in the same moment.
  const waitMs = waitS * 1_000 * (1 + Math.random() / 10);
  status.wait = { from: Date.now(), until: Date.now() + waitMs };
  timer = setTimeout(poll, waitMs);
}

/** One request; answers in how many seconds the next is welcome, and 0 if there is none. */
async function ask(signal, cache) {
  const headers = seen.etag ? { "if-none-match": seen.etag } : {};
  const answer = await request(channelUrl, { headers, cache, signal }, access);
  const body = await answer.text();
  signal.throwIfAborted();
  status.polls += 1;
  if (answer.status === 304) {
    status.notModified += 1;
    status.savedBytes += seen.bytes;
  } else {
    // An array of the newest value; empty as long as nothing was set.
    const value = JSON.parse(body).at(-1);
    status.board = value && typeof value === "object" ? value : {};
    seen = { etag: answer.headers.get("ETag") ?? "", bytes: new TextEncoder().encode(body).length };
    status.offset = answer.headers.get("Stream-Next-Offset");
  }
  status.intervalS = Number(answer.headers.get("Retry-After")) || INTERVAL_S;
  if (answer.headers.get("Stream-Closed")) return 0;
  show("live");
  return status.intervalS;
}

// ---- Setting

let settled = Promise.resolve();

/**
 * Changes one component; `notify` is told why it was not. One change after the other, since each is made to what the one before it left. Resolves once it is
 * done, or was given up.
 */
export function set(component, change, notify) {
  return (settled = settled.then(() => trySet(component, change, notify)));
}

async function trySet(component, change, notify) {
  notify("");
  for (let tries = 0; tries < TRIES; tries++) {
    const failure = await publish(component, change);
    if (failure && (!failure.status || failure.status >= 500)) await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
    await poll("reload");
    if (!failure) return;
    if (failure.status >= 400 && failure.status < 500 && failure.code !== "sequence-not-rising") return notify(failure.detail);
  }
  notify(`${component} was not set: the server does not answer, or others keep setting the board.`);
}

/** Sends the board with the change; answers what was wrong. */
async function publish(component, change) {
  const before = status.board[component];
  const since = change.state && change.state !== before?.state ? { since: Date.now() } : {};
  const body = JSON.stringify({ ...status.board, [component]: { state: "operational", ...before, ...change, ...since } });
  // Stream-Seq has to rise, and offsets do. Who read the same board as another, but was slower, gets 409 instead of undoing the other's change.
  // So does who sends a change again whose answer was lost.
  const headers = { "content-type": "application/json", "stream-seq": status.offset };
  return request(channelUrl, { method: "POST", headers, body }, access).then(() => undefined, (error) => error);
}
