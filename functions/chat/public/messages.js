// @ts-check
// The log: a row for each message, in the order of the room.
//
// Text and names come from strangers: text is only ever set as text.

import { isMe, nameOf, paint } from "./people.js";
import { role } from "./page.js";

/** @typedef {import("./chat.d.ts").RoomEvent} RoomEvent */

const TOGETHER_MS = 300_000; // messages of one author within this time stand under one name
const MAX_MESSAGES = 1_000; // a page that stays open for days keeps no more
const FAR_PX = 60; // who has scrolled up so far is reading, and is not pulled down

const [log, messages] = ["log", "messages"].map(role);

// Rows by the id that the author gave, and by offset.
export const written = new Map();
const placed = new Map();
let isReadingBack = false;

/** @param {RoomEvent} data */
export function event(data, offset) {
  if (data?.type === "message") arrived(data, offset);
  else if (data?.type === "deleted") erased(data.offset, offset);
}

function arrived(message, offset) {
  const row = written.get(message.id) ?? newRow(message, isMe(message.from ?? {}));
  // Shown already: a duplicated tab sent again what it did not know to be stored.
  if (row.dataset.offset) return;
  row.dataset.offset = offset;
  placed.set(offset, row);
  mark(row, row.dataset.isMine ? "sent" : "");
  place(row, messages);
}

/** The event at `target` is gone. `offset` is where we read that: the same place in history, a later one when it happens before our eyes. */
function erased(target, offset) {
  const row = placed.get(target) ?? (target === offset && newRow({}, false));
  if (!row) return;
  placed.set(target, row);
  row.querySelector(".text").textContent = "Message deleted";
  mark(row, "deleted");
  if (!row.parentNode) place(row, messages);
}

/** @param {any} message a message, or nothing of one @param {boolean} isMine */
export function newRow({ id, from = {}, text = "", at }, isMine) {
  const row = /** @type {any} */ (document.querySelector("template").content.firstElementChild.cloneNode(true));
  const part = (name) => row.querySelector(name);
  // A stranger may write under the id of somebody who is verified: that is another author.
  const author = { author: from.id ?? "", from: (from.id ?? "") + (from.verified ? " verified" : ""), ...(from.verified && { verified: true }) };
  Object.assign(row.dataset, { ...author, at: at ?? "", ...(isMine && { isMine: true }) });
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
export function mark(row, state, words = state) {
  row.dataset.state = state;
  row.querySelector(".status").textContent = words;
  // Told to who does not see it: the list of what is under way is silent, or each own message would be read out twice.
  row.querySelector(".status").role = state === "failed" ? "alert" : null;
}

export function place(row, list) {
  const before = list.lastElementChild ?? messages.lastElementChild;
  row.classList.toggle("follows", before?.dataset.from === row.dataset.from && before?.dataset.state !== "deleted" && row.dataset.at - before.dataset.at < TOGETHER_MS);
  list.append(row);
  if (messages.children.length > MAX_MESSAGES) forget(messages.firstElementChild);
  // Asking the log itself for each message of a long history would lay the page out as often.
  if (isReadingBack && row.dataset.isMine) log.scrollTop = 0;
  else role("newer").hidden = !isReadingBack;
}

export function forget(row) {
  row.remove();
  for (const map of [written, placed]) for (const [key, each] of map) if (each === row) map.delete(key);
}

export function gap() {
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
