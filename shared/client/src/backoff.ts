// How long to wait before the next attempt: full jitter, so that readers that were disconnected together do not reconnect together.

/** No server makes a client wait longer than an hour. */
const MAX_FLOOR_MS = 3_600_000;

/** Numbers of a {@link Backoff}, in milliseconds. */
export interface BackoffOptions {
  /** The first wait is between 0 and this (250); the span doubles with each failure. */
  baseMs?: number;
  /** Upper limit of the span (30,000). */
  capMs?: number;
  /** A connection that held this long resets the count (5,000). */
  stableMs?: number;
}

/** Counts failures and returns how long to wait. Has no clock. */
export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #stableMs: number;
  readonly #random: () => number;
  #failures = 0;

  /** `random` returns numbers in [0, 1). */
  constructor({ baseMs = 250, capMs = 30_000, stableMs = 5_000 }: BackoffOptions = {}, random: () => number = Math.random) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
    this.#stableMs = stableMs;
    this.#random = random;
  }

  /** Milliseconds to wait after a connection that held for `heldMs`; at least `floorMs`, the wait that the server named, up to an hour. */
  next(heldMs = 0, floorMs = 0): number {
    if (heldMs >= this.#stableMs) this.reset();
    const spanMs = Math.min(this.#capMs, this.#baseMs * 2 ** this.#failures);
    this.#failures += 1;
    return Math.max(Math.min(floorMs, MAX_FLOOR_MS), this.#random() * spanMs);
  }

  /** Resets the count. */
  reset(): void {
    this.#failures = 0;
  }
}
