// @ts-check
// The page: hands over what is written, and shows how it stands with the room.

import { event, forget, gap, mark, newRow, place, written } from "./messages.js";
import { Outbox, randomId } from "./outbox.js";
import { role } from "./page.js";
import { changeMe, me, members, tab } from "./people.js";
import { Room } from "./room.js";

const TYPING_MS = 3_000; // after so long without a key nobody is typing

const roomName = location.hash.slice(1) || new URLSearchParams(location.search).get("room") || "demo-lobby";
const roomUrl = new URL(`./${encodeURIComponent(roomName)}`, document.baseURI);
const [log, pending] = ["log", "pending"].map(role);

// ---- What the others see of me

let typingTimer;

function introduce(change = {}) {
  changeMe(change);
  room.present({ tab, name: me.name, color: me.color, ...(typingTimer && { typing: true }) });
}

function setTyping(isTyping) {
  const wasTyping = Boolean(typingTimer);
  clearTimeout(typingTimer);
  typingTimer = isTyping ? setTimeout(setTyping, TYPING_MS, false) : undefined;
  if (isTyping !== wasTyping) introduce();
}

// ---- Writing

const composer = role("composer");
const draft = role("text");

function send(text) {
  outboxed(outbox.add({ type: "message", id: randomId(), from: { id: me.id, name: me.name, color: me.color }, text, at: Date.now() }));
}

function outboxed(entry) {
  const row = written.get(entry.message.id) ?? newRow(entry.message, true);
  row.entry = entry;
  place(row, pending);
  changed(entry);
}

function changed(entry) {
  const row = written.get(entry.message.id);
  // So much was read before the acknowledgement came that it is no longer shown.
  if (!row) return;
  if (entry.failure) mark(row, "failed", `Not sent: ${entry.failure}`);
  // Acknowledged, or read before the acknowledgement came.
  else if (!outbox.entries.includes(entry) || row.dataset.offset) row.dataset.state !== "deleted" && mark(row, "sent");
  else mark(row, "pending", "sending…");
}

log.onclick = async ({ target }) => {
  const row = target.closest("li");
  const { action } = target.dataset;
  if (action === "delete") {
    target.disabled = true;
    await outbox.erase(row.dataset.offset).catch((error) => mark(row, row.dataset.state, `Not deleted: ${error.detail || error.code}`));
    target.disabled = false;
  } else if (action) {
    const { text } = row.entry.message;
    outbox.remove(row.entry);
    forget(row);
    // As a new message: the refused one has no place in the order.
    if (action === "again") return send(text);
    draft.value = [text, draft.value].filter(Boolean).join("\n");
    draft.focus();
  }
};

composer.onsubmit = (submit) => {
  submit.preventDefault();
  const text = draft.value.trim();
  if (!text) return;
  draft.value = "";
  setTyping(false);
  send(text);
};

draft.oninput = () => setTyping(Boolean(draft.value.trim()));
draft.onkeydown = (key) => {
  // Enter also ends the writing of a word in Japanese, Chinese and others: that sends nothing.
  if (key.key !== "Enter" || key.shiftKey || key.isComposing) return;
  key.preventDefault();
  composer.requestSubmit();
};

// ---- The page

function state(name, detail = "") {
  const isOver = name === "finished" || name === "refused";
  role("state").dataset.state = name;
  role("state").textContent = name === "live" ? `live over ${detail}` : name;
  role("notice").textContent = isOver ? detail : "";
  role("notice").hidden = !isOver;
  for (const field of composer.elements) field.disabled = isOver;
  // Comes back with a mark that nobody has read.
  if (name === "reconnecting") introduce();
  if (name !== "live") return;
  outbox.retry();
  // What stands in the room on entry is not read out; what comes later is.
  setTimeout(() => (log.ariaBusy = "false"), 1_000);
}

role("name").value = me.name;
role("color").value = me.color;
role("name").onchange = ({ target }) => {
  target.value = target.value.trim() || me.name;
  introduce({ name: target.value });
};
role("color").onchange = ({ target }) => introduce({ color: target.value });
role("me").onsubmit = (submit) => {
  submit.preventDefault();
  draft.focus();
};

// On an iPhone the keyboard covers the page instead of shortening it.
visualViewport.onresize = () => {
  if (visualViewport.scale > 1) return; // somebody zooms in to read
  document.documentElement.style.setProperty("--height", `${visualViewport.height}px`);
  scrollTo(0, 0);
};
addEventListener("hashchange", () => location.reload());

document.title = `${roomName} · Tidewire`;
role("room").textContent = roomName;
const outbox = new Outbox(roomUrl, changed);
const room = new Room(roomUrl, me.id, {
  event,
  gap,
  members(changed, isSnapshot) {
    members(changed, isSnapshot);
    room.member = me.id;
  },
  state,
});
outbox.entries.forEach(outboxed);
introduce();
