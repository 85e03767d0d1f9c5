// What a transport reads with and delivers to: the one position that all transports of a subscription share.

import { contentOf, type Content } from "./content.ts";
import { TidewireError } from "./error.ts";
import type { Gap, Presence } from "./event.ts";
import { request, type Credential, type RequestOptions } from "./request.ts";

/** How a connection came to an end that is no error: the channel is finished, or the client comes back. */
export type Outcome = "finished" | "again";

/** Where a reader delivers to. */
export interface Sink {
  /** An event, and the offset to go on from after it. */
  event(offset: string, data: unknown): void;
  /** A part of the past is gone. */
  gap(gap: Gap): void;
  /** Someone came, changed or left. */
  presence(presence: Presence): void;
  /** The connection got through; before its first event, and any number of times. */
  opened(): void;
  /** Whether no more is wanted for now. */
  isFull(): boolean;
  /** Resolves when more is wanted. */
  room(): Promise<void>;
  /** Whether to leave this transport, since it is time to try a better one. */
  mayClimb(): boolean;
}

/** Time for a connection to open, and for a page to come, in milliseconds. */
export const OPEN_MS = 10_000;

/** One subscription's position, and the way from a transport to its sink. */
export class Reader {
  readonly sink: Sink;
  readonly signal: AbortSignal;
  readonly pollMs: number;
  readonly #url: URL;
  readonly #options: RequestOptions;
  /** Everything up to here was delivered. */
  position: string;
  /** What the channel holds, once an answer has told it. */
  content: Content | undefined;
  /** The server knows SSE by `live=sse` alone. */
  needsLive = false;
  /** The credential has run out: the next connection takes a fresh one. */
  isStale = false;
  /** For what can send no header. */
  readonly ticket: Credential | undefined;

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

  /** The channel's address with the position, or whatever `query` says instead. */
  address(query: Record<string, string> = {}): URL {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries({ offset: this.position, ...query })) url.searchParams.set(name, value);
    return url;
  }

  /** A GET from the position on, or from the earliest if what follows the position is gone. */
  async get(query: Record<string, string>, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
    try {
      // Never from a cache on this side: at the tail the same address has another answer soon.
      return await request(this.address(query), { signal, headers, cache: "no-store" }, this.#options);
    } catch (error) {
      if (!(error instanceof TidewireError && error.status === 410)) throw error;
      const earliest = error.earliest ?? "-1";
      // Told to go on from where it is, it would ask for ever.
      if (earliest === this.position) throw error;
      this.gap(earliest);
      return this.get(query, signal, headers);
    }
  }

  /** `now` is here: from now on the position is an offset, so that a break loses nothing. */
  resolveNow(offset: string): void {
    if (this.position === "now") this.position = offset;
  }

  /** Learns from an answer what the channel holds. */
  learn(answer: Response): Content {
    return (this.content = contentOf(answer.headers.get("content-type")));
  }

  /** Events of which only the end of the last is known. Before it one can only go on from where they begin. */
  batch(events: unknown[], end: string): void {
    const begin = this.position;
    events.forEach((data, index) => {
      const isLast = index === events.length - 1;
      if (isLast) this.position = end;
      this.sink.event(isLast ? end : begin, data);
    });
    this.position = end;
  }

  /** The past after `requested` is gone. */
  gap(earliest: string, requested: string = this.position): void {
    // A stream that ends before its first event may tell the same gap again.
    if (earliest === this.position) return;
    this.position = earliest;
    // The channel may have been made anew, and for something else.
    this.content = undefined;
    this.sink.gap({ requested, earliest });
  }
}
