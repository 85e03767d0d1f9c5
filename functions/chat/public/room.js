// @ts-check
// One room: reads it over a WebSocket, or over SSE where none gets through, and says there who is here.
//
// Follows PROTOCOL.md. `offset` is the last event seen, whatever the transport: the next connection starts after it,
// so that a message is neither lost nor shown twice.

import { Backoff, Refused, Unavailable, request, wakes } from "./request.js";

const RENEW_MS = 15_000; // a third of the presence lease
const SILENCE_MS = 10_000; // a connection that does not answer for so long is dead, whatever the browser believes
const MAX_REFUSED_UPGRADES = 2; // after so many in a row only SSE is tried

// The server of this page says what it offers, where that is not all.
const offer = document.querySelector("meta[name=tidewire-transports]")?.getAttribute("content");
const hasWebSocket = !offer || offer.split(" ").includes("websocket");

/** Nothing more will come on any transport. */
class Stop extends Error {
  constructor(state, message) {
    super(message);
    this.state = state;
  }
}

/** A promise, and what settles it. By hand: Safari before 17.4 has no `Promise.withResolvers`. */
function settleable() {
  let resolve;
  let reject;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

const finished = () => new Stop("finished", "This room is closed: no more messages will come.");

export class Room {
  offset = "-1";
  #url;
  #presenceUrl;
  /** Our id among those present. */
  member;
  #page;
  #backoff = new Backoff();
  #refusedUpgrades = hasWebSocket ? 0 : MAX_REFUSED_UPGRADES;
  #state;
  /** Tells the server `#state`; there is one while a connection is live. */
  #announce;

  /** `page` has a function for each thing that can happen: `event`, `gap`, `members`, `state`. */
  constructor(url, member, page) {
    this.#url = url;
    this.#presenceUrl = new URL(`-/presence/${url.pathname.split("/").at(-1)}`, new URL(".", url));
    this.member = member;
    this.#page = page;
  }

  /** Changes what the others see of this member. */
  present(state) {
    this.#state = state;
    this.#announce?.();
  }

  /** Reads until the room is finished or refused. */
  async follow() {
    for (;;) {
      let retryAfterMs;
      try {
        await (this.#refusedUpgrades < MAX_REFUSED_UPGRADES ? this.#webSocket() : this.#sse());
      } catch (error) {
        if (error instanceof Stop) return this.#page.state(error.state, error.message);
        ({ retryAfterMs } = error);
      }
      this.#page.state("reconnecting");
      await this.#backoff.wait(retryAfterMs);
    }
  }

  async #webSocket() {
    const address = this.#from();
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, "tidewire.v1");
    const over = settleable();
    let isOpen = false;
    let refusal = "The server refused the connection.";
    let ackBytes = Infinity;
    let unacknowledged = 0;
    let silence = setTimeout(over.resolve, SILENCE_MS);
    const ping = () => {
      if (!isOpen) return;
      socket.send("ping");
      silence ??= setTimeout(over.resolve, SILENCE_MS);
    };
    const pings = setInterval(ping, RENEW_MS);
    wakes.addEventListener("wake", ping);

    socket.onopen = () => (isOpen = true);
    socket.onmessage = ({ data }) => {
      clearTimeout(silence);
      silence = undefined;
      if (data === "pong") return;
      const frame = JSON.parse(data);
      if (frame.type === "hello") {
        ackBytes = frame.ackBytes ?? Infinity;
        this.#refusedUpgrades = 0;
        this.#live("WebSocket", () => socket.send(JSON.stringify({ type: "presence", id: this.member, state: this.#state })));
      } else if (frame.type === "events") frame.events.forEach((event) => this.#event(event.data, event.offset));
      else if (frame.type === "presence") this.#members(frame);
      else if (frame.type === "gap") this.#gap(frame);
      else if (frame.type === "error") refusal = frame.detail ?? frame.code;
      else if (frame.type === "closed") over.reject(finished());
      // The close itself may take seconds.
      else if (frame.type === "close") closed(frame);
      // The server sends a page of history only while we acknowledge what came before.
      unacknowledged += data.length;
      if (unacknowledged < ackBytes) return;
      socket.send(JSON.stringify({ type: "ack", offset: this.offset }));
      unacknowledged = 0;
    };
    const closed = ({ code }) => {
      if (code === 1000) over.reject(finished());
      else if (code === 1003 || code === 1009 || code >= 3500) over.reject(new Stop("refused", refusal));
      else over.resolve(undefined);
    };
    socket.onclose = closed;

    try {
      await over.promise;
    } finally {
      clearInterval(pings);
      clearTimeout(silence);
      wakes.removeEventListener("wake", ping);
      // A socket that is closing may still have frames to give: they belong to the next connection.
      socket.onmessage = socket.onclose = this.#announce = null;
      socket.close();
    }
    // A browser does not tell a refused upgrade from a lost network; SSE does.
    if (!isOpen) await this.#sse(() => (this.#refusedUpgrades += 1));
  }

  async #sse(opened) {
    const source = new EventSource(this.#from());
    const over = settleable();
    // One at a time and each with the newest state: two requests at once could arrive in the wrong order.
    let turn = Promise.resolve();
    const post = (use) => {
      turn = turn.then(() => this.#post()).then(use, (error) => error instanceof Unavailable && over.reject(error));
    };
    // A stream can die in silence. Then the renewal fails too, and says so.
    const renew = () => post((members) => this.#members({ snapshot: true, members }));
    const renewals = setInterval(renew, RENEW_MS);
    wakes.addEventListener("wake", renew);
    // Otherwise the others would see a closed tab until its lease is over. A socket needs no such farewell.
    const leave = () => navigator.sendBeacon(this.#presenceUrl, JSON.stringify({ id: this.member, state: null }));
    addEventListener("pagehide", leave);

    source.onopen = () => {
      opened?.();
      this.#live("SSE", () => post());
    };
    source.onmessage = ({ data, lastEventId }) => this.#event(JSON.parse(data), lastEventId);
    source.addEventListener("presence", ({ data }) => this.#members(JSON.parse(data)));
    source.addEventListener("gap", ({ data }) => this.#gap(JSON.parse(data)));
    source.onerror = () => over.resolve(source.readyState === EventSource.CLOSED);

    try {
      // The browser gave up and does not tell why. A plain read does.
      if (await over.promise) await this.#ask();
    } finally {
      clearInterval(renewals);
      wakes.removeEventListener("wake", renew);
      removeEventListener("pagehide", leave);
      this.#announce = null;
      source.close();
    }
  }

  /** Joins, changes the state or renews the lease, by HTTP; answers who is here. */
  async #post() {
    const body = JSON.stringify({ id: this.member, state: this.#state });
    return (await request(this.#presenceUrl, { method: "POST", body })).body.members ?? [];
  }

  /** Asks once why there is no stream. */
  async #ask() {
    const { headers } = await request(this.#from()).catch((error) => {
      // A gap is no refusal: the next stream tells it.
      throw error instanceof Refused && error.code !== "offset-gone" ? new Stop("refused", error.message) : error;
    });
    if (headers.get("Stream-Closed")) throw finished();
  }

  #live(transport, announce) {
    this.#backoff.reset();
    this.#announce = announce;
    announce();
    this.#page.state("live", transport);
  }

  #event(data, offset) {
    this.offset = offset;
    this.#page.event(data, offset);
  }

  /** The past was dropped, or the room was made anew: go on from the earliest event there is. */
  #gap({ earliest }) {
    // A stream that ends before its first event may tell the same gap again.
    if (earliest === this.offset) return;
    this.offset = earliest;
    this.#page.gap();
  }

  #members({ snapshot = false, members }) {
    this.#page.members(members, snapshot);
    // Gone in the eyes of the server, by a lease that ran out while this machine slept or a tab with a copy of our id: say that we are here.
    if (members.some(({ id, state }) => id === this.member && !state)) this.#announce?.();
  }

  #from() {
    const url = new URL(this.#url);
    url.search = String(new URLSearchParams({ offset: this.offset }));
    return url;
  }
}
