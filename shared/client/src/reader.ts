// The position that all transports of a subscription share, and the sink that they deliver to.

import { contentOf, type Content } from "./content.ts";
import { TidewireError } from "./error.ts";
import type { Gap, Presence } from "./event.ts";
import { exchange, type Credential, type RequestOptions } from "./request.ts";
import type { ClientFrame } from "./wire.ts";

/** How a connection ended without an error: the channel is finished, or the client reconnects. */
export type Outcome = "finished" | "again";

/** The destination of a reader. */
export interface Sink {
  /** An event, and the offset to resume from after it. */
  event(offset: string, data: unknown): void;
  /** Past events are gone. */
  gap(gap: Gap): void;
  /** A member joined, changed or left. */
  presence(presence: Presence): void;
  /** The connection works; called before its first event, and any number of times. */
  opened(): void;
  /** Whether the destination is full for now. */
  isFull(): boolean;
  /** Resolves when it has room again. */
  room(): Promise<void>;
  /** Whether to leave this transport, because it is time to try a better one. */
  mayClimb(): boolean;
}

/** One subscription's position, and its path from a transport to its sink. */
export class Reader {
  readonly sink: Sink;
  readonly signal: AbortSignal;
  readonly pollMs: number;
  readonly #url: URL;
  readonly #options: RequestOptions;
  /** Everything up to here was delivered. */
  position: string;
  /** The channel's content type, once an answer has named it. */
  content: Content | undefined;
  /** The server supports SSE only by `live=sse`. */
  needsLive = false;
  /** The credential has expired: the next connection requests a new credential. */
  isStale = false;
  /** For transports that cannot send a header. */
  readonly ticket: Credential | undefined;
  /** Sends a frame, while there is a WebSocket that is open. */
  send: ((frame: ClientFrame | "ping") => void) | undefined;

  constructor(url: URL, position: string, sink: Sink, signal: AbortSignal, pollMs: number, options: RequestOptions) {
    this.#url = url;
    this.position = position;
    this.sink = sink;
    this.signal = signal;
    this.pollMs = pollMs;
    const { token, ticket, headers } = options;
    const fresh = (hook?: Credential): Credential | undefined =>
      hook &&
      ((wasRefused) => {
        const isStale = this.isStale;
        this.isStale = false;
        return hook(wasRefused || isStale);
      });
    this.ticket = fresh(ticket);
    this.#options = { token: fresh(token) ?? this.ticket, headers };
  }

  /** The channel's address with the position, or with `query` instead. */
  address(query: Record<string, string> = {}): URL {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries({ offset: this.position, ...query })) url.searchParams.set(name, value);
    return url;
  }

  /** A GET from the position on, or from the earliest event if those after the position are gone. */
  async get(query: Record<string, string>, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
    try {
      // Never from a cache on this side: at the tail the answer at this address changes soon.
      return await exchange(this.address(query), { signal, headers, cache: "no-store" }, this.#options);
    } catch (error) {
      if (!(error instanceof TidewireError && error.status === 410)) throw error;
      const earliest = error.earliest ?? "-1";
      // If a server answers with the requested position, the client would request it for ever.
      if (earliest === this.position) throw error;
      this.gap(earliest);
      return this.get(query, signal, headers);
    }
  }

  /** `now` is resolved: from here on the position is an offset, so that a disconnection loses nothing. */
  resolveNow(offset: string): void {
    if (this.position === "now") this.position = offset;
  }

  /** Reads the channel's content type from an answer. */
  learn(answer: Response): Content {
    return (this.content = contentOf(answer.headers.get("content-type")));
  }

  /** Delivers events of which only the end of the last is known. The others can be resumed only from where the page begins. */
  batch(events: unknown[], end: string): void {
    const begin = this.position;
    events.forEach((data, index) => {
      const isLast = index === events.length - 1;
      if (isLast) this.position = end;
      this.sink.event(isLast ? end : begin, data);
    });
    this.position = end;
  }

  /** The events after `requested` are gone. */
  gap(earliest: string, requested: string = this.position): void {
    // A stream that ends before its first event may report the same gap again.
    if (earliest === this.position) return;
    this.position = earliest;
    // The channel may have been created again, with another content type.
    this.content = undefined;
    this.sink.gap({ requested, earliest });
  }
}
