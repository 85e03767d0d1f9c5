// @ts-check
// The page: shows what the room tells, and hands over what is written.
//
// Text, names and colors come from strangers: text is only ever set as text, and a color is checked before it is used.

import { Outbox } from "./outbox.js";
import { randomId } from "./request.js";
import { Room } from "./room.js";

/** @typedef {import("./chat.d.ts").RoomEvent} RoomEvent */

const TYPING_MS = 3_000; // after so long without a key nobody is typing
const TOGETHER_MS = 300_000; // messages of one author within this time stand under one name
const MAX_MESSAGES = 1_000; // a page that stays open for days keeps no more
const FAR_PX = 60; // who has scrolled up so far is reading, and is not pulled down

const ADJECTIVES = ["Brave", "Calm", "Clever", "Gentle", "Happy", "Kind", "Lucky", "Merry", "Quick", "Quiet", "Sunny", "Witty"];
const ANIMALS = ["Badger", "Dolphin", "Falcon", "Fox", "Heron", "Lynx", "Otter", "Panda", "Puffin", "Robin", "Seal", "Wren"];
const COLORS = ["#0f8b8d", "#6b4fc4", "#a8680c", "#1d6fc9", "#b8447e", "#2f8f46", "#c2452d", "#5a6b7a", "#7a8a12", "#9b3fb5", "#1487ad", "#8c5a3c"];

/** @type {(name: string) => any} the page is ours: what has a role is there */
const role = (name) => document.querySelector(`[data-role="${name}"]`);
const [log, messages, pending] = ["log", "messages", "pending"].map(role);

const roomName = location.hash.slice(1) || new URLSearchParams(location.search).get("room") || "demo-lobby";
const roomUrl = new URL(`./${encodeURIComponent(roomName)}`, document.baseURI);

// ---- Who I am: one person per tab, the same after a reload

const ME = "tidewire-chat me";
const any = (list) => list[Math.floor(Math.random() * list.length)];
const me = JSON.parse(sessionStorage.getItem(ME)) ?? { id: randomId(), name: `${any(ADJECTIVES)} ${any(ANIMALS)}`, color: any(COLORS) };
/** By this mark in our state we find ourselves among those present. */
const tab = randomId();
let typingTimer;

function introduce(change = {}) {
  Object.assign(me, change);
  sessionStorage.setItem(ME, JSON.stringify(me));
  room.present({ tab, name: me.name, color: me.color, ...(typingTimer && { typing: true }) });
}

function setTyping(isTyping) {
  const wasTyping = Boolean(typingTimer);
  clearTimeout(typingTimer);
  typingTimer = isTyping ? setTimeout(setTyping, TYPING_MS, false) : undefined;
  if (isTyping !== wasTyping) introduce();
}

// ---- Who is here

const people = new Map();

function members(changed, isSnapshot) {
  if (isSnapshot) people.clear();
  for (const { id, state } of changed) state ? people.set(id, state) : people.delete(id);
  // Whoever has a ticket or a token is present as its subject, whatever the page says.
  const mine = people.has(me.id) ? undefined : [...people].find(([, state]) => state.tab === tab)?.[0];
  if (mine) become(mine);

  const others = [...people].filter(([id]) => id !== me.id).sort(([, a], [, b]) => nameOf(a).localeCompare(nameOf(b)));
  const self = people.has(me.id) ? [[me.id, people.get(me.id)]] : [];
  role("people").replaceChildren(
    ...[...self, ...others].map(([id, state]) => {
      const item = document.createElement("li");
      item.textContent = id === me.id ? `${nameOf(state)} (you)` : nameOf(state);
      item.classList.toggle("is-me", id === me.id);
      item.classList.toggle("is-typing", Boolean(state.typing));
      paint(item, state.color);
      return item;
    }),
  );
  role("count").textContent = String(people.size || "");
  const typing = others.filter(([, state]) => state.typing).map(([, state]) => nameOf(state));
  role("typing").textContent =
    typing.length > 2 ? "Several people are typing…" : typing.length ? `${typing.join(" and ")} ${typing.length > 1 ? "are" : "is"} typing…` : "";
}

function become(id) {
  me.id = room.member = id;
  sessionStorage.setItem(ME, JSON.stringify(me));
  for (const row of log.querySelectorAll("li")) if (row.dataset.author === id) row.dataset.isMine = "true";
}

const nameOf = ({ name }) => String(name ?? "").slice(0, 40).trim() || "Somebody";

function paint(element, color) {
  if (/^#[0-9a-f]{6}$/i.test(color)) element.style.setProperty("--color", color);
}

// ---- Messages

// Rows by the id that the author gave, and by offset.
const written = new Map();
const placed = new Map();
let isReadingBack = false;

/** @param {RoomEvent} data */
function event(data, offset) {
  if (data?.type === "message") arrived(data, offset);
  else if (data?.type === "deleted") erased(data.offset, offset);
}

function arrived(message, offset) {
  const row = written.get(message.id) ?? newRow(message);
  // Shown already: a duplicated tab sent again what it did not know to be stored.
  if (row.dataset.offset) return;
  row.dataset.offset = offset;
  placed.set(offset, row);
  mark(row, row.dataset.isMine ? "sent" : "");
  place(row, messages);
}

/** The event at `target` is gone. `offset` is where we read that: the same place in history, a later one when it happens before our eyes. */
function erased(target, offset) {
  const row = placed.get(target) ?? (target === offset && newRow({}));
  if (!row) return;
  placed.set(target, row);
  row.querySelector(".text").textContent = "Message deleted";
  mark(row, "deleted");
  if (!row.parentNode) place(row, messages);
}

/** @param {any} message a message, or nothing of one */
function newRow({ id, from = {}, text = "", at }) {
  const row = /** @type {any} */ (document.querySelector("template").content.firstElementChild.cloneNode(true));
  const part = (name) => row.querySelector(name);
  // A stranger may write under the id of somebody who is verified: that is another author.
  const author = { author: from.id ?? "", from: (from.id ?? "") + (from.verified ? " verified" : ""), ...(from.verified && { verified: true }) };
  Object.assign(row.dataset, { ...author, at: at ?? "", ...(from.id === me.id && { isMine: true }) });
  part("b").textContent = nameOf(from);
  part(".avatar").textContent = [...new Intl.Segmenter().segment(nameOf(from))][0].segment.toUpperCase();
  part(".text").textContent = text;
  part('[data-action="delete"]').ariaLabel = `Delete: ${text.slice(0, 60)}`;
  paint(row, from.color);
  const date = new Date(at);
  if (!isNaN(date.getTime())) {
    const isToday = date.toDateString() === new Date().toDateString();
    part("time").dateTime = date.toISOString();
    part("time").textContent = date.toLocaleString([], { ...(!isToday && { day: "numeric", month: "short" }), hour: "2-digit", minute: "2-digit" });
  }
  if (id) written.set(id, row);
  return row;
}

/** `state` is what the style sheet knows: pending, sent, failed, deleted, or nothing. */
function mark(row, state, words = state) {
  row.dataset.state = state;
  row.querySelector(".status").textContent = words;
  // Told to who does not see it: the list of what is under way is silent, or each own message would be read out twice.
  row.querySelector(".status").role = state === "failed" ? "alert" : null;
}

function place(row, list) {
  const before = list.lastElementChild ?? messages.lastElementChild;
  row.classList.toggle("follows", before?.dataset.from === row.dataset.from && before?.dataset.state !== "deleted" && row.dataset.at - before.dataset.at < TOGETHER_MS);
  list.append(row);
  if (messages.children.length > MAX_MESSAGES) forget(messages.firstElementChild);
  // Asking the log itself for each message of a long history would lay the page out as often.
  if (isReadingBack && row.dataset.isMine) log.scrollTop = 0;
  else role("newer").hidden = !isReadingBack;
}

function forget(row) {
  row.remove();
  for (const map of [written, placed]) for (const [key, each] of map) if (each === row) map.delete(key);
}

// ---- Writing

const composer = role("composer");
const draft = role("text");

function send(text) {
  outboxed(outbox.add({ type: "message", id: randomId(), from: { id: me.id, name: me.name, color: me.color }, text, at: Date.now() }));
}

function outboxed(entry) {
  const row = written.get(entry.message.id) ?? newRow(entry.message);
  row.entry = entry;
  place(row, pending);
  changed(entry);
}

function changed(entry) {
  const row = written.get(entry.message.id);
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
    await outbox.erase(row.dataset.offset).catch((error) => mark(row, row.dataset.state, `Not deleted: ${error.message}`));
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
  if (name !== "live") return;
  outbox.retry();
  // What stands in the room on entry is not read out; what comes later is.
  setTimeout(() => (log.ariaBusy = "false"), 1_000);
}

function gap() {
  const note = document.createElement("li");
  note.className = "gap";
  note.textContent = "Some messages are no longer kept.";
  messages.append(note);
}

log.onscroll = () => {
  isReadingBack = log.scrollTop < -FAR_PX;
  if (!isReadingBack) role("newer").hidden = true;
};
role("newer").onclick = () => (log.scrollTop = 0);

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
const room = new Room(roomUrl, me.id, { event, gap, members, state });
outbox.entries.forEach(outboxed);
introduce();
room.follow();
