// @ts-check
// A user's notifications: follows the channel, publishes there what was read, and sends to others.
//
// Marks are shown when they come back as events, which is how the other tabs hear of them too: all show the same at any time.

import { access } from "./access.js";
import { publish, publisher, subscribe } from "./client.js";
import { Inbox } from "./inbox.js";
import { focusRow, paint } from "./list.js";
import { role } from "./page.js";
import { Push } from "./push.js";

/** @typedef {import("./notifications.d.ts").InboxEvent} InboxEvent */

const BACKOFF = { baseMs: 1_000, capMs: 10_000 };

const channel = new URLSearchParams(location.search).get("channel") || "demo-ann";
const channelUrl = (name) => new URL(`./${encodeURIComponent(name)}`, document.baseURI);

// ---- Following

let inbox = new Inbox();
const push = new Push(new URL(`./-/push/${encodeURIComponent(channel)}`, document.baseURI));
let subscription;
let frame = 0;
/** Offset up to which the page shows what came. */
let shownUpTo = "-1";

function follow() {
  let wasLive = false;
  let failure = "";
  subscription = subscribe(channelUrl(channel), {
    ...access,
    transports: ["sse"],
    backoff: BACKOFF,
    onEvent({ data, offset }) {
      inbox.take(/** @type {InboxEvent} */ (data), offset);
      repaint();
      noteSeen();
    },
    // We were away for so long that events are gone, marks among them: begin anew with what is kept, as every other tab does.
    onGap() {
      inbox = new Inbox();
      repaint();
    },
    onError: ({ detail, code }) => (failure = detail || code),
    onState(state) {
      if (state === "live") show("live");
      else if (state === "finished") show("finished", "This channel is closed: no more notifications will come.");
      else if (state === "failed") show("refused", failure);
      else if (state === "waiting" || wasLive) show("reconnecting");
      wasLive = state === "live";
    },
  });
}

/** However many events arrive, the page is painted once per frame; a hidden one, which has no frames, at once for its title. */
function repaint() {
  if (document.hidden) paintNow();
  else frame ||= requestAnimationFrame(paintNow);
}

function paintNow() {
  cancelAnimationFrame(frame);
  frame = 0;
  shownUpTo = subscription?.offset ?? shownUpTo;
  paint(inbox, channel, (offset) => mark({ type: "read", offset }));
  const isRead = (/** @type {string} */ offset) => inbox.notifications.some((one) => one.offset === offset && one.isRead);
  void push.clear(isRead, inbox.unread);
}

let seen = "";
let seeing = 0;

/** What a visible page shows need not be pushed to a closed one. At most once a second, and only where the server pushes. */
function noteSeen() {
  if (seeing || !push.isOn) return;
  seeing = setTimeout(() => {
    seeing = 0;
    const upTo = inbox.unseen;
    if (document.hidden || !upTo || upTo === seen) return;
    seen = upTo;
    void tell(channel, { type: "seen", upTo });
  }, 1_000);
}

/** Somebody clicked what was pushed. @param {{ url?: string, offset?: string }} clicked */
async function goTo({ url, offset }) {
  if (offset) await mark({ type: "read", offset });
  if (url) location.href = new URL(url, document.baseURI).href;
  else focusRow(offset);
}

// ---- Publishing

/**
 * Publishes, again and again until an answer comes. That does no harm: a mark says the same twice, and a notification is known by its id.
 * Answers why it was not taken, or nothing.
 * @param {string} name @param {InboxEvent} event @param {typeof publish} send
 */
async function tell(name, event, send = publish) {
  try {
    // Goes on when the page is left, as by the link of what was just read.
    await send(channelUrl(name), event, { ...access, attempts: Infinity, backoff: BACKOFF, keepalive: true });
    return "";
  } catch ({ detail, code }) {
    return detail || code;
  }
}

/** Marks wait for nothing, as for one on its way: the page may be left in this moment. In any order they come to the same. @param {InboxEvent} event */
async function mark(event) {
  const failure = await tell(channel, event, (url, event, options) => publisher(url, options)(event));
  if (failure) notify(`Not marked as read: ${failure}`);
}

/** Sends to each of these users: a group is a list of names, and everyone has a channel of their own. */
async function send(names, title, body, url) {
  notify(`Sending to ${names.join(", ")} …`);
  const id = Math.random().toString(36).slice(2);
  const event = /** @type {InboxEvent} */ ({ type: "notification", id, title, body, ...(url && { url }), at: Date.now() });
  const failures = await Promise.all(names.map((name) => tell(name, event)));
  const outcomes = names.map((name, index) => `${name}: ${failures[index] || "sent"}`);
  notify(failures.some(Boolean) ? outcomes.join("\n") : `Sent to ${names.join(", ")}.`);
}

// ---- The page

function show(state, message = "") {
  role("state").textContent = role("state").dataset.state = state;
  role("problem").textContent = message;
  role("problem").hidden = !message;
}

function notify(message) {
  role("outcome").textContent = message;
}

role("channel").textContent = channel;
role("to").value ||= channel;
role("curl").textContent =
  `curl '${channelUrl(channel)}' -H 'content-type: application/json' \\\n` +
  `  -d '{"type":"notification","id":"'$RANDOM'","title":"Hello","body":"","at":'$(date +%s000)'}'`;
role("bell").onclick = () => {
  role("panel").hidden = !role("panel").hidden;
  role("bell").ariaExpanded = String(!role("panel").hidden);
};
// What came while the finger was on its way is not among them, be it that it is not painted yet.
role("read-all").onclick = () => {
  mark({ type: "read-all", upTo: shownUpTo });
  role("bell").focus();
};
role("form").onsubmit = (event) => {
  event.preventDefault();
  const names = [...new Set(role("to").value.split(/[\s,]+/).filter(Boolean))];
  send(names, role("title").value, role("body").value, role("url").value);
  for (const field of ["title", "body", "url"]) role(field).value = "";
  role("title").focus();
};
document.addEventListener("visibilitychange", noteSeen);
show("connecting");
paintNow();
follow();
void push.start(goTo).then(noteSeen);
