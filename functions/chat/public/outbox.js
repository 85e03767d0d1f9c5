// @ts-check
// What this tab has written and the room has not yet acknowledged.
//
// Published by POST with the three Producer headers, whichever transport reads: on every platform the answer says for sure what
// became of a message, and a message that is sent again under its number is stored once. One at a time, so order is kept. By hand and not by the
// client's `publish`, because the numbers outlive a reload.

import { access } from "./access.js";
import { request } from "./client.js";

const BACKOFF_MS = 500; // the first wait is up to this, the next up to twice as much
const MAX_BACKOFF_MS = 10_000;

/** An id that nobody else has. `crypto.randomUUID` is missing where a phone opens a laptop's page by plain HTTP. */
export const randomId = () => crypto.getRandomValues(new Uint8Array(16)).reduce((id, byte) => id + byte.toString(16).padStart(2, "0"), "");

export class Outbox {
  /** `{message, number, failure}`: `number` once it was sent, `failure` once it was refused. */
  entries;
  #url;
  #key;
  #producer;
  #changed;
  #isSending = false;
  #failures = 0;
  #endWait = () => {};

  /** `changed(entry)` is called when an entry was acknowledged or refused. */
  constructor(url, changed) {
    this.#url = url;
    this.#changed = changed;
    this.#key = `tidewire-chat outbox ${url.pathname}`;
    const kept = JSON.parse(sessionStorage.getItem(this.#key));
    this.entries = kept?.entries ?? [];
    this.#producer = kept?.producer ?? { id: randomId(), epoch: 0, seq: 0 };
    // A duplicated tab begins with a copy of this store: in an epoch of its own it cannot use a number that the other tab uses too.
    if (kept) this.#nextEpoch();
    this.#save();
    this.#send();
  }

  add(message) {
    const entry = { message };
    this.entries.push(entry);
    this.#save();
    this.#send();
    return entry;
  }

  /** The room is there again: does not wait longer for the next attempt. */
  retry() {
    this.#failures = 0;
    this.#endWait();
  }

  /** Takes a refused entry back. */
  remove(entry) {
    this.entries.splice(this.entries.indexOf(entry), 1);
    this.#save();
  }

  /** Erases an event. The room allows it to whom it knows by the producer id, so that id is never shown to anyone. */
  erase(offset) {
    const url = new URL(this.#url);
    url.search = String(new URLSearchParams({ offset }));
    return request(url, { method: "DELETE", headers: { "producer-id": this.#producer.id } }, access);
  }

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let entry; (entry = this.entries.find(({ failure }) => !failure)); ) await this.#publish(entry);
    this.#isSending = false;
  }

  async #publish(entry) {
    const { id, epoch, seq } = this.#producer;
    entry.number ??= { epoch, seq };
    this.#save();
    const headers = {
      "content-type": "application/json",
      "producer-id": id,
      "producer-epoch": String(entry.number.epoch),
      "producer-seq": String(entry.number.seq),
    };
    try {
      await request(this.#url, { method: "POST", headers, body: JSON.stringify(entry.message) }, access);
    } catch (error) {
      // Perhaps only the answer was lost: the number stays. Who writes too fast is told so instead.
      if (error.retryable && error.status !== 429) return this.#wait(error.retryAfterMs);
      // A refused publish takes no number.
      entry.number = undefined;
      // The room was made anew, or another tab has our id.
      if (error.code === "producer-gap" || error.code === "producer-fenced") return this.#nextEpoch();
      // Never empty: that would mean that it still waits.
      entry.failure = error.detail || error.code || String(error);
      this.#save();
      return this.#changed(entry);
    }
    this.#failures = 0;
    if (entry.number.epoch === epoch) this.#producer.seq = entry.number.seq + 1;
    this.remove(entry);
    this.#changed(entry);
  }

  /** Full jitter, so that a thousand pages do not come back in the same moment. `retry` ends it early. */
  #wait(atLeastMs = 0) {
    const ms = Math.max(atLeastMs, Math.random() * Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** this.#failures++));
    return new Promise((done) => {
      this.#endWait = () => done(undefined);
      setTimeout(done, ms);
    });
  }

  /** One that no other tab with a copy of our id has had. */
  #nextEpoch() {
    this.#producer = { ...this.#producer, epoch: Math.max(this.#producer.epoch + 1, Date.now()), seq: 0 };
  }

  #save() {
    sessionStorage.setItem(this.#key, JSON.stringify({ producer: this.#producer, entries: this.entries }));
  }
}
