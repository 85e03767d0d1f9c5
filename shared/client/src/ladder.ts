// Which transport to try: the first that works, and a better one again after a while.

import type { Transport } from "./event.ts";

/** A stream that ends sooner than this without an event is a miss: something on the way does not let it live. */
const SHORT_MS = 1_000;

/** Misses in a row after which a transport that has worked is abandoned; one that never worked is abandoned at the first. */
const MISSES = 3;

/** Time on a lesser transport after which the better transports are tried again. */
const CLIMB_MS = 300_000;

/** Steps down a list of transports as they fail, and back to its top after a while. */
export class Ladder {
  readonly #transports: readonly Transport[];
  readonly #misses: number[];
  readonly #worked: boolean[];
  #at = 0;
  /** Where an attempt starts: the transport that worked last. */
  #start = 0;
  #since = 0;

  constructor(transports: readonly Transport[]) {
    this.#transports = transports;
    this.#misses = transports.map(() => 0);
    this.#worked = transports.map(() => false);
  }

  /** The transport to try now. */
  get transport(): Transport {
    return this.#transports[this.#at]!;
  }

  /** The transport worked. */
  opened(now: number): void {
    this.#worked[this.#at] = true;
    if (this.#at === this.#start) return;
    this.#start = this.#at;
    this.#since = now;
  }

  /** Whether it is time to try a better transport again. */
  mayClimb(now: number): boolean {
    return this.#start > 0 && now - this.#since >= CLIMB_MS;
  }

  /** Returns to the top. */
  climb(): void {
    this.#at = this.#start = 0;
    this.#misses.fill(0);
  }

  /** The attempt ended after `heldMs` (0: it never connected) and `events` events. Returns whether to try the next transport at once. */
  ended(heldMs: number, events: number): boolean {
    const isSound = heldMs >= SHORT_MS || events > 0;
    const misses = (this.#misses[this.#at] = isSound ? 0 : this.#misses[this.#at]! + 1);
    if (misses >= (this.#worked[this.#at] ? MISSES : 1) && this.descend()) return true;
    this.#at = this.#start;
    return false;
  }

  /** Moves to the next transport; `false` after the last transport. */
  descend(): boolean {
    if (this.#at === this.#transports.length - 1) return false;
    this.#at += 1;
    return true;
  }
}
