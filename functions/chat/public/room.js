// @ts-check
// One room: reads it, and says there who is here.
//
// The client reads, over a WebSocket or over SSE where none gets through. Presence is a lease, which has two ways: a frame on the
// WebSocket, whose pings renew it and whose end ends it; beside SSE a POST now and then.

import { access } from "./access.js";
import { request, subscribe } from "./client.js";

const RENEW_MS = 15_000; // a third of the presence lease
const MAX_BACKOFF_MS = 10_000;
const TRANSPORTS = { websocket: "WebSocket", sse: "SSE" }; // a poll tells nobody who is here

export class Room {
  #presenceUrl;
  /** Our id among those present. */
  member;
  #page;
  #state;
  #subscription;
  #transport = "";
  #isLive = false;
  /** One at a time and each with the newest state: two requests at once could arrive in the wrong order. */
  #turn = Promise.resolve();
  #states = new AbortController();
  /** How often the reader has heard who is here. */
  #heard = 0;

  /** `page` has a function for each thing that can happen: `event`, `gap`, `members`, `state`. */
  constructor(url, member, page) {
    this.#presenceUrl = new URL(`-/presence/${url.pathname.split("/").at(-1)}`, new URL(".", url));
    this.member = member;
    this.#page = page;
    let failure = "";
    this.#subscription = subscribe(url, {
      ...access,
      transports: ["websocket", "sse"],
      backoff: { capMs: MAX_BACKOFF_MS },
      onEvent: ({ data, offset }) => page.event(data, offset),
      onGap: () => page.gap(),
      onPresence: ({ members, isSnapshot }) => {
        this.#heard += 1;
        this.#members(members, isSnapshot);
      },
      onError: ({ detail }) => (failure = detail),
      onState: (state, transport) => {
        const wasLive = this.#isLive;
        this.#isLive = state === "live";
        this.#transport = transport;
        if (state === "live") {
          this.#announce();
          page.state("live", TRANSPORTS[transport]);
        } else if (state === "finished") page.state("finished", "This room is closed: no more messages will come.");
        else if (state === "failed") page.state("refused", failure);
        else if (wasLive || state === "waiting") page.state("reconnecting");
      },
    });
    // A ping renews the lease of a WebSocket and wakes nothing up.
    setInterval(() => this.#subscription.send("ping") || (this.#hasLease() && this.#post(true)), RENEW_MS);
    addEventListener("pagehide", () => this.#hasLease() && this.#leave());
  }

  /** Changes what the others see of this member. */
  present(state) {
    this.#state = state;
    this.#announce();
  }

  #announce() {
    if (!this.#isLive || !this.#state) return;
    if (!this.#subscription.send({ type: "presence", id: this.member, state: this.#state })) this.#post();
  }

  #hasLease() {
    return this.#isLive && this.#transport === "sse";
  }

  /** Joins, changes the state or renews the lease; what the answer says of who is here is asked for only now and then. */
  #post(isRenewal = false) {
    this.#turn = this.#turn.then(async () => {
      const heard = this.#heard;
      const answer = await this.#tell(this.#state, { signal: this.#states.signal });
      const { members = [] } = isRenewal ? await answer.json() : {};
      // An answer that a change has overtaken would take that change back.
      if (isRenewal && heard === this.#heard) this.#members(members, true);
    });
    // What fails, or is the page of a proxy in between, is renewed in a moment, over whatever transport there is then.
    this.#turn = this.#turn.catch(() => {});
  }

  /** Otherwise the others would see a closed tab until its lease is over. A socket needs no such farewell. */
  #leave() {
    // A state that is still on its way could arrive after the farewell.
    this.#states.abort();
    this.#states = new AbortController();
    this.#tell(null, { keepalive: true }).catch(() => {});
  }

  #tell(state, options) {
    return request(this.#presenceUrl, { method: "POST", body: JSON.stringify({ id: this.member, state }), ...options }, access);
  }

  #members(members, isSnapshot) {
    this.#page.members(members, isSnapshot);
    // Gone in the eyes of the server, by a lease that ran out while this machine slept or a tab with a copy of our id: say that we are here.
    if (members.some(({ id, state }) => id === this.member && !state)) this.#announce();
  }
}
