// A limit on silence.

import { TidewireError } from "./error.ts";

/** Aborts its `signal` when its parent does, or after too long a silence. */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal;
  readonly #bark = () => this.#controller.abort(this.#parent.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parent: AbortSignal) {
    this.#parent = parent;
    if (parent.aborted) this.#bark();
    parent.addEventListener("abort", this.#bark);
  }

  /** For the watched `fetch`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Data arrived: the next must arrive within `ms`. */
  within(ms: number): void {
    this.pause();
    this.#timer = setTimeout(() => this.#controller.abort(new TidewireError("timeout", 0, `nothing was heard for ${ms} ms`)), ms);
  }

  /** Nothing is expected for now. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Ends the watch, and with it a body that is still open. */
  stop(): void {
    this.pause();
    this.#parent.removeEventListener("abort", this.#bark);
    this.#controller.abort();
  }
}

/** The result of `use`; its signal aborts with `parent`, or after `ms`. */
export async function within<T>(ms: number, parent: AbortSignal, use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const watchdog = new Watchdog(parent);
  watchdog.within(ms);
  try {
    return await use(watchdog.signal);
  } finally {
    watchdog.stop();
  }
}
