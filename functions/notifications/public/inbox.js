// @ts-check
// What the events of a user's channel come to: the notifications, and which of them are unread.
//
// Nothing but the events in their order decides, so every tab and device that has read as far shows the same. It knows no page and runs in Node as well.

/** @typedef {import("./notifications.d.ts").InboxEvent} InboxEvent */
/** @typedef {Extract<InboxEvent, {type: "notification"}> & {offset: string, isRead: boolean}} Notification */

const MAX_NOTIFICATIONS = 500; // as many as the server keeps (lib.rs)

export class Inbox {
  /** By id, the newest last. @type {Map<string, Notification>} */
  #notifications = new Map();
  #seen = "";

  /** Takes the next event of the channel. @param {InboxEvent} event @param {string} offset its own */
  take(event, offset) {
    if (event.type === "notification") {
      const known = this.#notifications.get(event.id);
      // A publisher that got no answer sends again.
      if (known && known.at >= event.at) return;
      // Taken out first, or it would keep its old place.
      this.#notifications.delete(event.id);
      this.#notifications.set(event.id, { ...event, offset, isRead: false });
      if (this.#notifications.size > MAX_NOTIFICATIONS) this.#notifications.delete(this.#notifications.keys().next().value);
    } else if (event.type === "seen") {
      if (event.upTo > this.#seen) this.#seen = event.upTo;
    } else {
      // By offset: one that was replaced meanwhile is unread, although its id was there when somebody looked.
      for (const notification of this.#notifications.values()) {
        if (event.type === "read" ? notification.offset === event.offset : notification.offset <= event.upTo) notification.isRead = true;
      }
    }
  }

  /** The newest first. */
  get notifications() {
    return [...this.#notifications.values()].reverse();
  }

  /** The offset of the newest notification, if it is unread and no page has said that it shows it. */
  get unseen() {
    const [newest] = this.notifications;
    return newest && !newest.isRead && newest.offset > this.#seen ? newest.offset : undefined;
  }

  get unread() {
    return this.notifications.filter(({ isRead }) => !isRead).length;
  }
}
