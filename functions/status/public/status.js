// @ts-check
// The page of the board: a row for each component, and what asking costs.

import { channel, channelUrl, follow, poll, set, status } from "./board.js";

const COMPONENTS = ["Website", "API", "Payments", "E-mail"]; // on the board before anything was set
const STATES = { operational: "Operational", degraded: "Degraded", down: "Down" }; // from good to bad
const MAX_COMPONENTS = 24; // anybody may set an open channel, so the page draws no more than this

Object.assign(window, { tidewireStatus: status }); // for the console and for tests

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
  note.onchange = async () => {
    const text = note.value;
    if (text === noteOf(name, row)) return;
    row.coming = text;
    await set(name, { note: text }, notify);
    if (row.coming === text) delete row.coming;
  };
  note.onkeydown = (key) => {
    if (key.key !== "Enter" || key.isComposing) return;
    key.preventDefault();
    note.onchange();
  };
  for (const button of row.querySelectorAll("button")) button.onclick = () => set(name, { state: button.dataset.set }, notify);
  document.querySelector("main").append(row);
  rows.set(name, row);
}

/** The note as this page has set it, though the board does not have it yet. */
function noteOf(name, row) {
  const { note } = Object(status.board[name]);
  return row.coming ?? (typeof note === "string" ? note : "");
}

function paintRow(name, row) {
  const { state, since } = Object(status.board[name]);
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
  if (field !== document.activeElement) field.value = noteOf(name, row);
  const time = row.querySelector("time");
  const isDated = since > 0 && since < 8.64e15;
  time.textContent = isDated ? `since ${moment.format(since)}` : "";
  time.dateTime = isDated ? new Date(since).toISOString() : "";
}

function summary() {
  if (!isRead) return ["", "Asking …"];
  const states = [...rows.keys()].map((name) => status.board[name]?.state);
  const bad = ["down", "degraded"].map((state) => [state, states.filter((each) => each === state).length]).filter(([, count]) => count);
  if (bad.length) return [bad[0][0], bad.map(([state, count]) => `${count} ${state}`).join(", ")];
  return states.includes("operational") ? ["operational", "All operational"] : ["", "Nothing is set yet: set a component below"];
}

let isRead = false;

function show(state, message) {
  if (state === "live" || state === "finished") isRead = true;
  role("state").textContent = role("state").dataset.state = state;
  if (message) notify(message);
  for (const name of [...COMPONENTS, ...Object.keys(status.board)]) if (!rows.has(name) && rows.size < MAX_COMPONENTS) addRow(name);
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
  const left = Math.max(0, status.wait.until - Date.now());
  role("next").textContent = !isWaiting ? (state === "paused" ? "when seen" : "–") : left ? `${Math.ceil(left / 1_000)} s` : "now";
  document.querySelector("progress").value = isWaiting && left ? 1 - left / (status.wait.until - status.wait.from) : 0;
}

document.title = `${channel} · Tidewire`;
role("channel").textContent = channel;
role("curl").textContent =
  `curl -i '${channelUrl}' -H 'if-none-match: "…"'\n` +
  `curl '${channelUrl}' -H 'content-type: application/json' \\\n  -d '{"API": {"state": "down", "note": "disk full", "since": ${Date.now()}}}'`;
role("poll").onclick = () => poll();
setInterval(tick, 250);
follow(show);
