// A queue of events for the iteration.

/** Most queued entries; above it reading pauses, and a WebSocket, which cannot pause, is closed and resumed later. */
const MAX_WAITING = 10_000;

/** First in, first out, with an end. */
export class Queue<T> {
  #waiting: T[] = [];
  #end: { error: Error | undefined } | undefined;
  #changed: (() => void)[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  push(entry: T): void {
    this.#waiting.push(entry);
    this.#wake();
  }

  /** Ends the queue: `next` throws `error`, if any, after the queued entries. */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#wake();
  }

  /** Ends the queue and drops its entries. */
  clear(): void {
    this.#waiting = [];
    this.end();
  }

  /** The next entry, once there is one; `undefined` at the end. */
  async next(): Promise<T | undefined> {
    while (this.isEmpty && !this.#end) await this.#change();
    if (this.isEmpty && this.#end?.error) throw this.#end.error;
    const entry = this.#waiting.shift();
    this.#wake();
    return entry;
  }

  /** Resolves once there is room, or once no room is needed. */
  async room(): Promise<void> {
    while (this.isFull && !this.#end) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
