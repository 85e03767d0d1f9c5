// @ts-check
// Reads the channel over the transport that is chosen.
//
// Whatever transport is on, `feed.offset` is the last event seen; the next one starts after it, so a change of transport neither loses nor repeats
// an event. Who wants the newest values alone begins with one page of them, and is given no more than that after a break.

import { access } from "./access.js";
import { request, subscribe } from "./client.js";

const POLL_MS = 1_000; // short poll
const MAX_BACKOFF_MS = 10_000;
const AGAIN_MS = 3_000; // after a break the newest values are asked for within this, after a failure within twice as much

export const channel = new URLSearchParams(location.search).get("channel") || "demo-machine";
// `./` keeps a colon in the name from being read as a scheme.
export const channelUrl = new URL(`./${channel.replace(/[#?%]/g, encodeURIComponent)}`, document.baseURI);

export const feed = { transport: "sse", view: "all", offset: "-1", events: 0, gaps: 0 };
Object.assign(window, { tidewireFeed: feed }); // for the console and for tests

let current = new AbortController();
let subscription;
/** Of asking for the newest values, in a row. */
let failures = 0;
/** What the page does at each thing that happens. */
let page;

/** `shown` has a function for each thing that can happen: `event`, `gap`, `clear`, `show`. */
export function start(shown, view) {
  page = shown;
  begin(view);
}

/** Begins anew, with all that is kept or with the newest event of each series. */
export function begin(view) {
  subscription = undefined;
  Object.assign(feed, { view, offset: "-1", events: 0, gaps: 0 });
  page.clear(view);
  read(feed.transport);
}

/** Goes on over another transport. */
export function read(transport) {
  current.abort();
  current = new AbortController();
  failures = 0;
  feed.transport = transport;
  feed.offset = subscription?.offset ?? feed.offset;
  page.show("connecting");
  go(transport, current.signal);
}

async function go(transport, signal) {
  // Each short poll asks for the newest values by itself.
  const isCaughtUp = feed.view === "all" || transport === "poll" || (await catchUp(transport, signal));
  if (isCaughtUp && !signal.aborted) follow(transport, signal);
}

/** Comes back to what was missed, as the newest event of each series, soon; not all pages in the same moment, and none sooner than the server asks. */
function goAgain(transport, signal, atLeastMs = 0) {
  page.show("reconnecting");
  const spanMs = Math.min(MAX_BACKOFF_MS, AGAIN_MS * 2 ** failures++);
  setTimeout(() => signal.aborted || go(transport, signal), Math.max(atLeastMs, Math.random() * spanMs));
}

/** The newest event of each series. Returns whether they are all there. */
async function catchUp(transport, signal) {
  try {
    for (let isBehind = true; isBehind; ) {
      const answer = await request(latestUrl(), { cache: "no-store", signal }, access);
      const events = await answer.json();
      // Another transport or view was chosen in the meantime.
      signal.throwIfAborted();
      const offset = answer.headers.get("Stream-Next-Offset");
      if (!offset) throw new TypeError("the answer is not a channel's");
      feed.offset = offset;
      for (const event of events) received(event, feed.offset);
      isBehind = !answer.headers.get("Stream-Up-To-Date");
    }
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    if (error.earliest) gap(error.earliest);
    // What is no error of the client is an answer that cannot be read, as the page of a proxy in between.
    if (error.retryable === false && !error.earliest) page.show("refused", error.detail || error.code);
    else goAgain(transport, signal, error.retryAfterMs);
    return false;
  }
}

function latestUrl() {
  const url = new URL(channelUrl);
  url.search = String(new URLSearchParams({ view: "latest", offset: feed.offset }));
  return url;
}

function follow(transport, signal) {
  const isLatest = feed.view === "latest";
  let isLive = false;
  /** @type {any} */
  let failure;
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort());
  subscription = subscribe(isLatest && transport === "poll" ? latestUrl() : channelUrl, {
    ...access,
    offset: feed.offset,
    // Where no WebSocket gets through, be it only by and by, SSE does.
    transports: transport === "websocket" ? ["websocket", "sse"] : [transport],
    pollMs: POLL_MS,
    backoff: { baseMs: 500, capMs: MAX_BACKOFF_MS },
    signal: stop.signal,
    onEvent: ({ data, offset }) => received(data, offset),
    onGap: ({ earliest }) => gap(earliest),
    onError: (error) => (failure = error),
    onState(state, used) {
      if (state === "live") {
        isLive = true;
        failure = undefined;
        failures = 0;
        feed.transport = used;
        page.show("live");
      } else if (state === "finished") page.show("finished", "The channel is finished: no more events will come.");
      else if (state === "failed") page.show("refused", failure.detail || failure.code);
      else if (isLive && isLatest && transport !== "poll" && state !== "closed") {
        feed.offset = subscription.offset;
        stop.abort();
        // What is read from here on is beyond its offset.
        subscription = undefined;
        goAgain(transport, signal, failure?.retryAfterMs);
      } else if (state === "waiting" || (state === "connecting" && isLive)) page.show("reconnecting");
    },
  });
}

function received(event, offset) {
  feed.events += 1;
  feed.offset = offset;
  page.event(event);
}

/** The past was dropped, or the channel was made anew: it goes on from the earliest event there is. */
function gap(earliest) {
  feed.gaps += 1;
  feed.offset = earliest;
  page.gap();
}
