// @ts-check
// The live dashboard: what is read, over what, and how it stands.

import { access } from "./access.js";
import { breakLines, clear, draw, latency, paint as paintCharts } from "./charts.js";
import { begin, channel, channelUrl, feed, read, start } from "./reader.js";

const QUIET_MS = 3_000; // after this long without an event the page says what to run

// The server of this page says what it offers, where that is not all.
const offer = document.querySelector("meta[name=tidewire-transports]")?.getAttribute("content");
const isOffered = (transport) => !offer || offer.split(" ").includes(transport);

/** @type {(name: string) => HTMLElement} */
const role = (name) => document.querySelector(`[data-role="${name}"]`);
/** @type {NodeListOf<HTMLButtonElement>} */
const buttons = document.querySelectorAll("[data-transport]");
/** @type {NodeListOf<HTMLButtonElement>} */
const views = document.querySelectorAll("button[data-view]");
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
  paintCharts();
  role("latency").textContent = latency() || "–";
  for (const [name, value] of [["events", feed.events], ["gaps", feed.gaps]]) role(String(name)).textContent = value.toLocaleString("en");
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
  // The WebSocket of a browser carries a ticket, but no token.
  const isTokenLost = button.dataset.transport === "websocket" && Boolean(access.token);
  button.disabled = isTokenLost || !isOffered(button.dataset.transport);
  if (button.disabled) role("no-websocket").hidden = false;
  if (isTokenLost) role("no-websocket").textContent = "No WebSocket: it carries no token. The others read the same channel from the same offset.";
  button.onclick = () => read(button.dataset.transport);
}
for (const button of views) button.onclick = () => begin(button.dataset.view);
// The age of what does not change.
setInterval(() => feed.view === "latest" && repaint(), 1_000);
awaitQuiet();
const event = (sample) => {
  draw(sample);
  awaitQuiet();
  repaint();
};
const gap = () => {
  breakLines();
  repaint();
};
start({ event, gap, clear, show }, new URLSearchParams(location.search).get("view") === "latest" ? "latest" : "all");
