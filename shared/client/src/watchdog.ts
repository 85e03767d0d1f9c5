// A limit on silence.

import { TidewireError } from "./error.ts";
import { alarm } from "./wait.ts";

/** Time for an answer to begin, and then for each piece of its body, in milliseconds. */
export const ANSWER_MS = 10_000;

/** Aborts its `signal` when its parent does, or after too long a silence. */
export class Watchdog {
  readonly #controller = new AbortController();
  #cancel = () => {};

  constructor(parent: AbortSignal) {
    const bark = () => this.#controller.abort(parent.reason);
    if (parent.aborted) bark();
    parent.addEventListener("abort", bark, { signal: this.signal });
  }

  /** For the watched `fetch`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Data arrived: the next must arrive within `ms`. */
  within(ms: number): void {
    this.pause();
    this.#cancel = alarm(ms, () => this.#controller.abort(new TidewireError("timeout", 0, `nothing was heard for ${ms} ms`)));
  }

  /** Nothing is expected for now. */
  pause(): void {
    this.#cancel();
  }

  /** Ends the watch, and with it a body that is still open. */
  stop(): void {
    this.pause();
    this.#controller.abort();
  }
}

/** The result of `use`. Its signal aborts with `parent`, or after `ms`; from each call of `heard` on, after {@link ANSWER_MS}. */
export async function within<T>(ms: number, parent: AbortSignal, use: (signal: AbortSignal, heard: () => void) => Promise<T>): Promise<T> {
  const watchdog = new Watchdog(parent);
  watchdog.within(ms);
  try {
    return await use(watchdog.signal, () => watchdog.within(ANSWER_MS));
  } finally {
    watchdog.stop();
  }
}

/** The answer; its body calls `heard` for each chunk, since a long body may come over a slow line. */
export function patient(answer: Response, heard: () => void): Response {
  const pieces = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, out) {
      heard();
      out.enqueue(piece);
    },
  });
  heard();
  // Chromium gives a 204 and a 304 a body, and lets nobody else give them one.
  return answer.body && answer.status < 204 ? new Response(answer.body.pipeThrough(pieces), answer) : answer;
}
