// @ts-check
// The bell and the list below it.

import { role } from "./page.js";

const rows = new Map();
const moment = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** Shows what the inbox of a channel comes to; `read` is called with the offset of what was read. @param {import("./inbox.js").Inbox} inbox */
export function paint({ notifications, unread }, channel, read) {
  document.title = `${unread ? `(${unread}) ` : ""}${channel} · Tidewire`;
  role("bell").ariaLabel = unread ? `Notifications, ${unread} unread` : "Notifications";
  role("count").textContent = unread > 99 ? "99+" : unread || "";
  // A screen reader says it anew whenever it is written.
  const summary = unread ? `${unread} unread` : notifications.length ? "All read" : "Nothing yet";
  if (role("summary").textContent !== summary) role("summary").textContent = summary;
  role("read-all").disabled = !unread;

  const shown = notifications.map((notification) => {
    const row = rows.get(notification.offset) ?? addRow(notification, read);
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

/** Brings the keyboard to a notification, if it is shown. @param {string | undefined} offset */
export function focusRow(offset) {
  const row = rows.get(offset);
  if (!row) return;
  // A title that leads nowhere takes no focus.
  row.tabIndex = -1;
  row.focus();
}

/** @param {import("./inbox.js").Notification} notification */
function addRow({ offset, title, body, url, at }, read) {
  const row = /** @type {any} */ (document.querySelector("template").content.firstElementChild.cloneNode(true));
  const [link, button, time] = ["a", "button", "time"].map((part) => row.querySelector(part));
  link.textContent = title;
  // The server takes only addresses of the web.
  if (url) link.href = url;
  row.querySelector("p").textContent = body;
  time.textContent = moment.format(at);
  time.dateTime = new Date(at).toISOString();
  link.onclick = () => url && !button.hidden && read(offset);
  button.onclick = () => {
    read(offset);
    // This button is about to go: the keyboard goes on with the next.
    const buttons = [...role("list").querySelectorAll("button:not([hidden])")];
    (buttons[buttons.indexOf(button) + 1] ?? role("bell")).focus();
  };
  rows.set(offset, row);
  return row;
}
