// The events of the benchmark: each carries the time at which it was made, and so tells a reader how long it took.

/** A number that has 16 digits for as long as a process may live. */
const EPOCH_US = 1_000_000_000_000_000;
const MARK = Buffer.from('"t":');
const DIGITS = 16;

const nowUs = () => Math.round(performance.now() * 1_000);

/** An event of so many bytes: `{"t":1000000012345678,"p":"xxx…"}`. */
export function event(bytes = 100): string {
  const head = `{"t":${EPOCH_US + nowUs()},"p":"`;
  return `${head.padEnd(bytes - 2, "x")}"}`;
}

/** A batch of events as one body. */
export function batch(count: number, bytes = 100): string {
  return `[${Array.from({ length: count }, () => event(bytes)).join(",")}]`;
}

/** Finds the events in the bytes of one stream, whatever frames are around them. */
export class Scanner {
  readonly #received: (latencyMs: number) => void;
  /** The end of the last piece, where an event may begin. */
  #kept: Buffer | undefined;

  /** `received` gets the time from making an event to its arrival. */
  constructor(received: (latencyMs: number) => void) {
    this.#received = received;
  }

  scan(piece: Buffer): void {
    const us = nowUs();
    const bytes = this.#kept ? Buffer.concat([this.#kept, piece]) : piece;
    this.#kept = undefined;
    for (let from = 0; ; ) {
      const at = bytes.indexOf(MARK, from);
      const end = at + MARK.length + DIGITS;
      if (at >= 0 && end <= bytes.length) {
        this.#received((us - (Number(bytes.toString("latin1", at + MARK.length, end)) - EPOCH_US)) / 1_000);
        from = end;
        continue;
      }
      const rest = at >= 0 ? at : bytes.length - beginning(bytes.toString("latin1", Math.max(from, bytes.length - MARK.length + 1)));
      if (rest < bytes.length) this.#kept = bytes.subarray(rest);
      return;
    }
  }
}

/** How many characters at the end of a text may begin an event. */
function beginning(text: string): number {
  return ['"t"', '"t', '"'].find((begins) => text.endsWith(begins))?.length ?? 0;
}
