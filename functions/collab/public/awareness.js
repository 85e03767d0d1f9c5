// @ts-check
// Who else is in the document, and where. Told in the form of `y-protocols`, so that editors with the stock providers see the same.
//
// The server has each client of Yjs as a member of the document; the subscription of the document brings them.

import { access } from "./access.js";
import { request } from "./client.js";
import { awareness } from "./frames.js";

const RENEW_MS = 15_000; // clients forget one that is silent for 30 s
const PAUSE_MS = 100; // between two positions of a cursor

export class Awareness {
  /** The states of the others by their client id. @type {Map<number, any>} */
  others = new Map();
  #url;
  #client;
  #changed;
  #clock = 0;
  #state;
  #planned;
  #renewals;
  /** One at a time, and each with the newest state. */
  #turn = Promise.resolve();
  #states = new AbortController();

  /** @param {URL} url @param {number} client @param {() => void} changed */
  constructor(url, client, changed) {
    this.#url = new URL(url);
    this.#url.search = "awareness=default";
    this.#client = client;
    this.#changed = changed;
    this.#renewals = setInterval(() => this.announce(), RENEW_MS);
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", ({ persisted }) => persisted && this.announce());
  }

  /** @param {object} state */
  set(state) {
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    this.announce();
  }

  /** Otherwise the others would see a closed tab for half a minute. */
  leave() {
    if (!this.#state) return;
    // A state that is still on its way could arrive after the farewell.
    this.#states.abort();
    this.#states = new AbortController();
    this.#tell(null, { keepalive: true }).catch(() => {});
  }

  /** Leaves for good. */
  close() {
    clearInterval(this.#renewals);
    clearTimeout(this.#planned);
    this.leave();
    this.#state = undefined;
  }

  /** Tells the state, at most so often. */
  announce() {
    if (!this.#state) return;
    this.#planned ??= setTimeout(() => {
      this.#turn = this.#turn
        .then(() => {
          this.#planned = undefined;
          return this.#state && this.#tell(this.#state, { signal: this.#states.signal });
        })
        // The next renewal tells it.
        .then(() => {}, () => {});
    }, PAUSE_MS);
  }

  /** Takes what the subscription says. @param {any[]} members @param {boolean} isSnapshot */
  take(members, isSnapshot) {
    if (isSnapshot) this.others.clear();
    for (const { id, state } of members) {
      const client = Number(id);
      // A name in place of a number is a client of another stream.
      if (!Number.isSafeInteger(client) || client === this.#client) continue;
      if (state?.state) this.others.set(client, state.state);
      else this.others.delete(client);
    }
    this.#changed();
  }

  #tell(state, options) {
    const body = awareness(this.#client, ++this.#clock, state);
    return request(this.#url, { method: "POST", headers: { "content-type": "application/octet-stream" }, body, ...options }, access);
  }
}
