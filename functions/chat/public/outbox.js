// @ts-check
// What this tab has written and the room has not yet acknowledged.
//
// Published by POST with the three Producer headers, whichever transport reads: on every platform the answer says for sure what
// became of a message, and a message that is sent again under its number is stored once. One at a time, so order is kept.

import { Backoff, Refused, randomId, request } from "./request.js";

export class Outbox {
  /** `{message, number, failure}`: `number` once it was sent, `failure` once it was refused. */
  entries;
  #url;
  #key;
  #producer;
  #changed;
  #isSending = false;
  #backoff = new Backoff();

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
    this.#backoff.reset();
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
    return request(url, { method: "DELETE", headers: { "Producer-Id": this.#producer.id } });
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
    try {
      await request(this.#url, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          "Producer-Id": id,
          "Producer-Epoch": entry.number.epoch,
          "Producer-Seq": entry.number.seq,
        },
        body: JSON.stringify(entry.message),
      });
    } catch (error) {
      // Perhaps only the answer was lost: the number stays.
      if (!(error instanceof Refused)) return this.#backoff.wait(error.retryAfterMs);
      // A refused publish takes no number.
      entry.number = undefined;
      // The room was made anew, or another tab has our id.
      if (error.code === "producer-gap" || error.code === "producer-fenced") return this.#nextEpoch(error.headers.get("Producer-Epoch"));
      entry.failure = error.message;
      this.#save();
      return this.#changed(entry);
    }
    this.#backoff.reset();
    if (entry.number.epoch === epoch) this.#producer.seq = entry.number.seq + 1;
    this.remove(entry);
    this.#changed(entry);
  }

  #nextEpoch(known = 0) {
    this.#producer.epoch = Math.max(this.#producer.epoch, known) + 1;
    this.#producer.seq = 0;
  }

  #save() {
    sessionStorage.setItem(this.#key, JSON.stringify({ producer: this.#producer, entries: this.entries }));
  }
}
