// @ts-check
// Updates that the server has not acknowledged yet. They outlive a reload and a killed server; Yjs takes an update twice without harm, so after any doubt
// they are sent again.

import { access } from "./access.js";
import { publisher } from "./client.js";
import { framed, fromBase64, toBase64 } from "./frames.js";

const BACKOFF = { baseMs: 250, capMs: 3_000 };
/** Most bytes of one request: below the server's limit of a body. */
const MAX_BATCH_BYTES = 512 * 1024;

export class Outbox {
  /** @type {Uint8Array[]} */
  updates;
  #key;
  #send;
  #changed;
  #isSending = false;

  /** `changed(failure)` is called when an update was added, saved or refused. @param {URL} url @param {(failure: string) => void} changed */
  constructor(url, changed) {
    this.#key = `tidewire-collab outbox ${url.pathname}`;
    this.#changed = changed;
    this.#send = publisher(url, { ...access, attempts: Infinity, backoff: BACKOFF });
    this.updates = (JSON.parse(sessionStorage.getItem(this.#key)) ?? []).map(fromBase64);
  }

  /** @param {Uint8Array} update */
  add(update) {
    this.updates.push(update);
    this.#keep();
    this.#changed("");
    this.flush();
  }

  /** Sends what waits, one request at a time: what is typed while one is on its way goes together into the next. */
  async flush() {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      while (this.updates.length) {
        const batch = this.#nextBatch();
        await this.#send(framed(batch));
        this.updates.splice(0, batch.length);
        this.#keep();
        this.#changed("");
      }
    } catch (error) {
      this.#changed(error.detail || error.code || String(error));
    }
    this.#isSending = false;
  }

  discard() {
    this.updates = [];
    this.#keep();
  }

  #nextBatch() {
    let bytes = 0;
    const count = this.updates.findIndex((update) => (bytes += update.length) > MAX_BATCH_BYTES);
    return count < 0 ? this.updates.slice() : this.updates.slice(0, Math.max(1, count));
  }

  #keep() {
    try {
      if (this.updates.length) sessionStorage.setItem(this.#key, JSON.stringify(this.updates.map(toBase64)));
      else sessionStorage.removeItem(this.#key);
    } catch {
      // No room: they are kept as long as the page is open.
    }
  }
}
