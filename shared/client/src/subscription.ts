// One reader of a channel over as many connections as needed.

import { Backoff, type BackoffOptions } from "./backoff.ts";
import { asError, type TidewireError } from "./error.ts";
import type { ChannelEvent, Gap, Presence, State, Transport } from "./event.ts";
import { Ladder } from "./ladder.ts";
import { isOffered } from "./offer.ts";
import { readLongPolls, readPolls } from "./poll.ts";
import { Queue } from "./queue.ts";
import { Reader, type Outcome } from "./reader.ts";
import { address, type RequestOptions } from "./request.ts";
import { readSse } from "./sse.ts";
import { wait } from "./wait.ts";
import { readWebSocket } from "./websocket.ts";
import type { ClientFrame } from "./wire.ts";

/** Options of a subscription. */
export interface SubscribeOptions<T = unknown> extends RequestOptions {
  /** Read after this offset; `-1` is the beginning (the default), `now` the tail. */
  offset?: string;
  /**
   * Transports in the order of trying. By default WebSocket, SSE, long poll, short poll; without WebSocket if `token` or `headers`
   * are given, because it can send neither; it can send a `ticket`. Transports that the server of this page does not offer are skipped.
   */
  transports?: readonly Transport[];
  /** Time between two short polls at the tail, in milliseconds (5,000). */
  pollMs?: number;
  /** Waits between attempts. */
  backoff?: BackoffOptions;
  /** Ends the subscription, as `close` does. */
  signal?: AbortSignal;
  /** Called for each event, which then does not enter the iteration. */
  onEvent?: (event: ChannelEvent<T>) => void;
  /** Called when past events are gone, in order with the events. */
  onGap?: (gap: Gap) => void;
  /** Called when a member joins, changes or leaves; over WebSocket and SSE, if the function has presence. */
  onPresence?: (presence: Presence) => void;
  /** Called when the state changes. */
  onState?: (state: State, transport: Transport) => void;
  /** Called for each error. After an error that is not `retryable` the state is `failed`; after any other the client retries. */
  onError?: (error: TidewireError) => void;
}

const TRANSPORTS: readonly Transport[] = ["websocket", "sse", "long-poll", "poll"];

const READ: Record<Transport, (reader: Reader) => Promise<Outcome>> = {
  websocket: readWebSocket,
  sse: readSse,
  "long-poll": readLongPolls,
  poll: readPolls,
};

/**
 * The events of a channel, each once and in order, whatever disconnects in between.
 *
 * Iterate over it, or give `onEvent`. The iteration ends when the channel is finished or the subscription is closed, and throws the
 * {@link TidewireError} of a failed one. Leaving the iteration closes the subscription. If the application is too slow, about
 * ten thousand events are queued at most; then reading pauses.
 */
export class Subscription<T = unknown> implements AsyncIterable<ChannelEvent<T>> {
  readonly #options: SubscribeOptions<T>;
  readonly #reader: Reader;
  readonly #ladder: Ladder;
  readonly #queue = new Queue<ChannelEvent<T> | Gap>();
  readonly #stop = new AbortController();
  /** Offset of the newest event that the application has received. */
  #taken: string;
  #state: State = "connecting";
  /** When this connection was established; 0 before. */
  #openedAt = 0;
  /** Events of this connection. */
  #events = 0;

  /** Starts to read. Use {@link subscribe}. */
  constructor(url: string | URL, options: SubscribeOptions<T>) {
    const { offset = "-1", signal, pollMs = 5_000, token, headers } = options;
    const target = address(url);
    const { transports: wanted = TRANSPORTS } = options;
    const hasHeaders = token || headers;
    const transports = wanted.filter((transport) => isOffered(transport, target) && !(hasHeaders && transport === "websocket"));
    if (transports.length === 0) throw new TypeError("a subscription needs a transport that the server offers");
    this.#options = options;
    this.#taken = offset;
    this.#ladder = new Ladder(transports);
    const sink = {
      event: (offset: string, data: unknown) => {
        this.#events += 1;
        this.#deliver({ offset, data: data as T });
      },
      gap: (gap: Gap) => this.#deliver(gap),
      presence: (presence: Presence) => {
        if (!this.#stop.signal.aborted) call(options.onPresence, presence);
      },
      opened: () => this.#opened(),
      room: () => this.#queue.room(),
      mayClimb: () => this.#ladder.mayClimb(Date.now()),
      isFull: () => this.#queue.isFull,
    };
    this.#reader = new Reader(target, offset, sink, this.#stop.signal, pollMs, options);
    if (signal?.aborted) this.close();
    signal?.addEventListener("abort", () => this.close(), { signal: this.#stop.signal });
    void this.#run();
  }

  /** The offset to resume from: that of the newest event that the application has received. */
  get offset(): string {
    return this.#queue.isEmpty ? this.#reader.position : this.#taken;
  }

  /** The transport in use, or being tried. */
  get transport(): Transport {
    return this.#ladder.transport;
  }

  /** Where the subscription is. */
  get state(): State {
    return this.#state;
  }

  /** Sends a frame of `tidewire.v1`, such as a presence or the `ping` that renews it, while a WebSocket is open. Returns whether a WebSocket was open. */
  send(frame: ClientFrame | "ping"): boolean {
    this.#reader.send?.(frame);
    return this.#reader.send !== undefined;
  }

  /** Ends the subscription; nothing more is delivered. */
  close(): void {
    if (this.#stop.signal.aborted) return;
    this.#queue.clear();
    this.#end("closed");
  }

  /** The arriving events; empty if `onEvent` receives them. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelEvent<T>, void, void> {
    try {
      for (;;) {
        const entry = await this.#queue.next();
        if (entry === undefined) return;
        if ("data" in entry) {
          this.#taken = entry.offset;
          yield entry;
        } else this.#tell(entry);
      }
    } finally {
      this.close();
    }
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(this.#options.backoff);
    // The caller gets the subscription before its hooks are called.
    await Promise.resolve();
    while (!this.#stop.signal.aborted) {
      await this.#queue.room();
      if (this.#ladder.mayClimb(Date.now())) this.#ladder.climb();
      this.#enter("connecting");
      this.#openedAt = this.#events = 0;
      let error: TidewireError | undefined;
      try {
        if ((await READ[this.transport](this.#reader)) === "finished") return this.#end("finished");
      } catch (cause) {
        error = asError(cause);
      }
      if (this.#stop.signal.aborted) return;
      // The server does not offer this transport: this is not a failure while another transport is left.
      const isUnserved = error?.status === 501;
      if (isUnserved && this.#ladder.descend()) continue;
      if (error && !error.retryable) return this.#end("failed", error);
      if (error) call(this.#options.onError, error);
      const heldMs = this.#openedAt > 0 ? Date.now() - this.#openedAt : 0;
      // A server that ends a stream after a while is not in trouble.
      if (!error && this.#events > 0) backoff.reset();
      // A server that demands a wait would demand it on another transport too.
      const isAsked = error?.retryAfterMs !== undefined || (this.transport === "websocket" && error !== undefined && error.status > 0);
      if (!isAsked && this.#ladder.ended(heldMs, this.#events)) continue;
      this.#enter("waiting");
      await wait(backoff.next(heldMs, error?.retryAfterMs), this.#stop.signal, error?.retryAfterMs === undefined);
    }
  }

  #opened(): void {
    if (this.#openedAt > 0 || this.#stop.signal.aborted) return;
    this.#openedAt = Date.now();
    if (this.#taken === "now") this.#taken = this.#reader.position;
    this.#ladder.opened(this.#openedAt);
    this.#enter("live");
  }

  #deliver(entry: ChannelEvent<T> | Gap): void {
    // A hook may have closed the subscription in the middle of a page.
    if (this.#stop.signal.aborted) return;
    if (!this.#options.onEvent) return this.#queue.push(entry);
    if ("data" in entry) call(this.#options.onEvent, entry);
    else this.#tell(entry);
  }

  #tell(gap: Gap): void {
    this.#taken = gap.earliest;
    call(this.#options.onGap, gap);
  }

  #enter(state: State): void {
    if (this.#state === state && state !== "connecting") return;
    this.#state = state;
    call(this.#options.onState, state, this.transport);
  }

  #end(state: State, error?: TidewireError): void {
    this.#stop.abort();
    this.#queue.end(error);
    if (error) call(this.#options.onError, error);
    this.#enter(state);
  }
}

/** An error in a hook is the application's: it is reported as uncaught and does not stop the delivery. */
function call<A extends unknown[]>(hook: ((...given: A) => void) | undefined, ...given: A): void {
  try {
    hook?.(...given);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/**
 * Reads a channel over the first transport that works, and resumes by itself where it was.
 *
 * ```ts
 * for await (const { offset, data } of subscribe("https://example.com/feed/demo-machine")) console.log(offset, data);
 * ```
 *
 * @throws TypeError if the address is not that of a channel, or no transport is left.
 */
export function subscribe<T = unknown>(url: string | URL, options: SubscribeOptions<T> = {}): Subscription<T> {
  return new Subscription<T>(url, options);
}
