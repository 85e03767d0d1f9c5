// @ts-check
// The lanes: each reads the same numbered events in its own way, and counts which of them came.

import { subscribe } from "./client.js";
import { meter } from "./line.js";

const LATENCIES = 25; // the median is taken over so many events
const POLL_MS = 1_000; // between two short polls
const RECONNECT_MS = 1_000; // of the naive readers

/** @typedef {{ n: number, at: number }} PlugEvent the number of an event, from 1 on, and when it was made */

class Lane {
  id;
  name;
  state = "off";
  transport = "";
  /** How often each event came, and how late the first time, in milliseconds. @type {{ times: number, lateMs: number }[]} */
  arrivals = [];
  latencies = [];
  newest = 0;
  received = 0;
  doubled = 0;
  /** Events since the transport was chosen, for what one costs. */
  events = 0;
  meter;
  /** The page, when something changed. */
  changed = () => {};

  constructor(id, name) {
    this.id = id;
    this.name = name;
    this.meter = meter(id);
  }

  /** Events that are missing though later ones came. */
  get lost() {
    return this.newest - this.received;
  }

  /** Median, in milliseconds; `undefined` before the first event. */
  get latencyMs() {
    return this.latencies.toSorted((a, b) => a - b)[this.latencies.length >> 1];
  }

  /** @param {PlugEvent} event */
  take({ n, at }) {
    const lateMs = Date.now() - at;
    this.events += 1;
    this.latencies.push(lateMs);
    if (this.latencies.length > LATENCIES) this.latencies.shift();
    if (this.arrivals[n]) {
      this.arrivals[n].times += 1;
      this.doubled += 1;
    } else {
      this.arrivals[n] = { times: 1, lateMs };
      this.received += 1;
      this.newest = Math.max(this.newest, n);
    }
    this.changed();
  }

  enter(state) {
    this.state = state;
    this.changed();
  }
}

/** Reads one channel by the client of this repository, over one transport at a time. */
export class ChannelLane extends Lane {
  #url;
  #subscription;

  constructor(transport, channelUrl) {
    super(transport, "");
    this.#url = new URL(channelUrl);
    this.#url.searchParams.set("lane", this.id);
    this.transport = transport;
  }

  start() {
    this.#subscription = subscribe(this.#url, {
      transports: [this.transport],
      // Whatever the transport was before.
      offset: this.#subscription?.offset ?? "-1",
      pollMs: POLL_MS,
      backoff: { capMs: 1_000 },
      onEvent: ({ data }) => this.take(/** @type {PlugEvent} */ (data)),
      onState: (state) => this.enter(state),
    });
  }

  stop() {
    this.#subscription?.close();
  }

  /** Goes on over another transport, from the same offset. */
  change(transport) {
    this.transport = transport;
    this.events = this.meter.requests = this.meter.bytes = this.latencies.length = 0;
    this.stop();
    this.start();
  }
}

/** What everyone writes first: whatever comes while it is connected. Do not copy this. */
export class NaiveSseLane extends Lane {
  #url;
  #stop = new AbortController();

  constructor(roomUrl) {
    super("naive-sse", "SSE loop");
    this.#url = `${roomUrl}?lane=${this.id}`;
  }

  async start() {
    const { signal } = (this.#stop = new AbortController());
    while (!signal.aborted) {
      this.enter("connecting");
      try {
        const answer = await fetch(this.#url, { signal });
        // Stopped while the line was stalled: what comes now is nobody's.
        signal.throwIfAborted();
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        this.enter("live");
        await this.#read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
      } catch {
        // Nothing to go on from: it only tries again.
      }
      if (signal.aborted) return;
      this.enter("waiting");
      await new Promise((done) => setTimeout(done, RECONNECT_MS));
    }
  }

  async #read(reader) {
    try {
      for (let rest = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) return;
        const frames = (rest + value).split("\n\n");
        rest = frames.pop();
        // The rest are comments, which keep the connection.
        for (const frame of frames) if (frame.startsWith("data: ")) this.take(JSON.parse(frame.slice("data: ".length)));
      }
    } finally {
      // What is given up must not stay open beside its successor.
      reader.cancel().catch(() => {});
    }
  }

  stop() {
    this.#stop.abort();
    this.enter("closed");
  }
}

/** The same over a WebSocket. Do not copy this. */
export class NaiveSocketLane extends Lane {
  #url;
  #socket;

  constructor(roomUrl) {
    super("naive-websocket", "ws broadcast");
    this.#url = new URL(`${roomUrl}?lane=${this.id}`);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
  }

  start() {
    this.enter("connecting");
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.onopen = () => this.enter("live");
    socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    socket.onclose = () => {
      this.enter("waiting");
      setTimeout(() => this.#socket === socket && this.start(), RECONNECT_MS);
    };
  }

  stop() {
    const socket = this.#socket;
    this.#socket = undefined;
    socket.onclose = null;
    socket.close();
    this.enter("closed");
  }
}
