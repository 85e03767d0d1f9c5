// @ts-check
// A user's notifications: follows the channel over an EventSource, publishes there what was read, and sends to others.
//
// Marks are shown when they come back as events, which is how the other tabs hear of them too: all show the same at any time.

import { Inbox } from "./inbox.js";

/** @typedef {import("./notifications.d.ts").InboxEvent} InboxEvent */

const QUIET_MS = 30_000; // without a sign of life for so long, a connection is not trusted when somebody looks at the page again
const STREAM_MS = 660_000; // the server ends a stream after 600 s (STREAM_MAX_MS): one that is silent for longer is dead
const ANSWER_MS = 10_000; // of one request
const MAX_BACKOFF_MS = 10_000;
// Where a POST makes your backend set the next cookie `tidewire-ticket`, as your login set the first. The channels under `demo-` need none.
const TICKET_URL = "";

const channel = new URLSearchParams(location.search).get("channel") || "demo-ann";
const channelUrl = (name) => new URL(`./${encodeURIComponent(name)}`, document.baseURI);

// ---- Following

let inbox = new Inbox();
let offset = "-1";
/** @type {EventSource} */
let source;
let heardAt = 0;
let timer;

/** Opens a connection that begins where the last one stood. */
function follow() {
  source?.close();
  clearTimeout(timer);
  heardAt = Date.now();
  source = new EventSource(from());
  source.onopen = () => {
    heardAt = Date.now();
    show("live");
  };
  source.onmessage = ({ data, lastEventId }) => {
    heardAt = Date.now();
    offset = lastEventId;
    inbox.take(JSON.parse(data), offset);
    repaint();
  };
  // We were away for so long that events are gone, marks among them: begin anew with what is kept, as every other tab does.
  source.addEventListener("gap", ({ data }) => {
    const { earliest } = JSON.parse(data);
    // A stream that ends before its first event may tell the same gap again.
    if (earliest === offset) return;
    offset = earliest;
    inbox = new Inbox();
    repaint();
  });
  // The credential has ended: the next connection shows a fresh one.
  source.addEventListener("close", async () => {
    source.close();
    await renew();
    follow();
  });
  source.onerror = () => {
    show("reconnecting");
    // The browser comes back by itself and names the last id; unless it gave up, which it does not explain.
    if (source.readyState === EventSource.CLOSED) ask();
  };
}

/** A plain read tells why there is no stream. */
async function ask() {
  const failed = source;
  const response = await request(from(), { cache: "no-store" });
  // Somebody looked at the page meanwhile, and it tries again already.
  if (source !== failed) return;
  if (response?.ok && response.headers.get("Stream-Closed")) return show("finished", "This channel is closed: no more notifications will come.");
  if (response && response.status !== 410 && (await isFinal(response))) return show("refused", response.problem);
  // Chance, so that a thousand pages do not come back in the same moment.
  timer = setTimeout(follow, Math.random() * MAX_BACKOFF_MS);
}

/** A connection can die in silence, above all while nobody looks: one that was quiet for so long is replaced. */
function distrust(quietMs) {
  if (role("state").dataset.state !== "finished" && Date.now() - heardAt > quietMs) follow();
}

function from() {
  const url = channelUrl(channel);
  url.search = String(new URLSearchParams({ offset }));
  return url;
}

// ---- Publishing

/**
 * Publishes, again and again until an answer comes. That does no harm: a mark says the same twice, and a notification is known by its id.
 * Answers why it was not taken, or nothing.
 * @param {string} name @param {InboxEvent} event
 */
async function publish(name, event) {
  const body = JSON.stringify(event);
  for (let failures = 0; ; failures++) {
    // Goes on when the page is left, as by the link of what was just read.
    const response = await request(channelUrl(name), { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true });
    if (response?.ok) return "";
    if (response && (await isFinal(response))) return response.problem;
    const retryAfterMs = 1_000 * Number(response?.headers.get("Retry-After")) || 0;
    await new Promise((done) => setTimeout(done, Math.max(retryAfterMs, Math.random() * Math.min(MAX_BACKOFF_MS, 1_000 * 2 ** failures))));
  }
}

/** The answer, and what is wrong as text for people; nothing where there is no answer. */
async function request(url, options) {
  try {
    const response = await fetch(url, { ...options, signal: AbortSignal.timeout(ANSWER_MS) });
    // Read in any case: a body that nobody reads holds one of the few connections that a browser opens to a host.
    const text = await response.text();
    return Object.assign(response, { problem: problem(response, text) });
  } catch {
    return undefined;
  }
}

function problem(response, text) {
  try {
    const { title, detail } = JSON.parse(text);
    return detail ?? title;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

/** Whether asking again is of no use; with a fresh credential it is of use. */
const isFinal = async ({ status }) => status >= 400 && status < 500 && status !== 408 && status !== 429 && !(status === 401 && (await renew()));

/** Whether there is a fresh credential. */
const renew = async () => Boolean(TICKET_URL && (await request(TICKET_URL, { method: "POST" }))?.ok);

/** @param {InboxEvent} event */
async function mark(event) {
  const failure = await publish(channel, event);
  if (failure) notify(`Not marked as read: ${failure}`);
}

/** Sends to each of these users: a group is a list of names, and everyone has a channel of their own. */
async function send(names, title, body, url) {
  notify(`Sending to ${names.join(", ")} …`);
  const id = Math.random().toString(36).slice(2);
  const event = /** @type {InboxEvent} */ ({ type: "notification", id, title, body, ...(url && { url }), at: Date.now() });
  const failures = await Promise.all(names.map((name) => publish(name, event)));
  const outcomes = names.map((name, index) => `${name}: ${failures[index] || "sent"}`);
  notify(failures.some(Boolean) ? outcomes.join("\n") : `Sent to ${names.join(", ")}.`);
}

// ---- The page

/** @type {(name: string) => any} the page is ours: what has a role is there */
const role = (name) => document.querySelector(`[data-role="${name}"]`);
const rows = new Map();
const moment = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
let frame = 0;

/** However many events arrive, the page is painted once per frame; a hidden one, which has no frames, at once for its title. */
function repaint() {
  if (document.hidden) paint();
  else frame ||= requestAnimationFrame(paint);
}

function paint() {
  cancelAnimationFrame(frame);
  frame = 0;
  const { notifications, unread } = inbox;
  document.title = `${unread ? `(${unread}) ` : ""}${channel} · Tidewire`;
  role("bell").ariaLabel = unread ? `Notifications, ${unread} unread` : "Notifications";
  role("count").textContent = unread > 99 ? "99+" : unread || "";
  // A screen reader says it anew whenever it is written.
  const summary = unread ? `${unread} unread` : notifications.length ? "All read" : "Nothing yet";
  if (role("summary").textContent !== summary) role("summary").textContent = summary;
  role("read-all").disabled = !unread;

  const shown = notifications.map((notification) => {
    const row = rows.get(notification.offset) ?? addRow(notification);
    row.toggleAttribute("data-unread", !notification.isRead);
    row.querySelector("button").hidden = notification.isRead;
    return row;
  });
  const kept = new Set(notifications.map(({ offset }) => offset));
  for (const [offset, row] of rows) {
    if (kept.has(offset)) continue;
    row.remove();
    rows.delete(offset);
  }
  // What stays is not moved, or the keyboard would lose its place.
  let next = role("list").firstElementChild;
  for (const row of shown) {
    if (row === next) next = next.nextElementSibling;
    else role("list").insertBefore(row, next);
  }
}

/** @param {import("./inbox.js").Notification} notification */
function addRow({ offset, title, body, url, at }) {
  const row = /** @type {any} */ (document.querySelector("template").content.firstElementChild.cloneNode(true));
  const [link, button, time] = ["a", "button", "time"].map((part) => row.querySelector(part));
  link.textContent = title;
  // The server takes only addresses of the web.
  if (url) link.href = url;
  row.querySelector("p").textContent = body;
  time.textContent = moment.format(at);
  time.dateTime = new Date(at).toISOString();
  const read = () => mark({ type: "read", offset });
  link.onclick = () => url && !button.hidden && read();
  button.onclick = () => {
    read();
    // This button is about to go: the keyboard goes on with the next.
    const buttons = [...role("list").querySelectorAll("button:not([hidden])")];
    (buttons[buttons.indexOf(button) + 1] ?? role("bell")).focus();
  };
  rows.set(offset, row);
  return row;
}

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
// What came while the finger was on its way is not among them.
role("read-all").onclick = () => {
  mark({ type: "read-all", upTo: offset });
  role("bell").focus();
};
role("form").onsubmit = (event) => {
  event.preventDefault();
  const names = [...new Set(role("to").value.split(/[\s,]+/).filter(Boolean))];
  send(names, role("title").value, role("body").value, role("url").value);
  for (const field of ["title", "body", "url"]) role(field).value = "";
  role("title").focus();
};
const wake = () => !document.hidden && distrust(source.readyState === EventSource.CLOSED ? 0 : QUIET_MS);
document.addEventListener("visibilitychange", wake);
addEventListener("online", wake);
addEventListener("pageshow", wake);
setInterval(() => distrust(source.readyState === EventSource.CONNECTING ? QUIET_MS : STREAM_MS), 60_000);
show("connecting");
paint();
follow();
