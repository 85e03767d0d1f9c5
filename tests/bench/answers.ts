// The answers of one HTTP/1.1 connection, parsed as they come.

export interface Answer {
  status: number;
  /** All lines of the head. */
  head: string;
}

/** The value of a header. */
export function field(answer: Answer, name: string): string | undefined {
  return new RegExp(`^${name}: *([^\\r]*)`, "im").exec(answer.head)?.[1];
}

interface Listener {
  head(answer: Answer): void;
  body(piece: Buffer): void;
  end(answer: Answer): void;
}

type State = "head" | "length" | "size" | "chunk" | "gap" | "trailer" | "frames";

export class Answers {
  readonly #listener: Listener;
  #state: State = "head";
  #answer: Answer = { status: 0, head: "" };
  /** Bytes that are missing of the body or of its chunk. */
  #left = 0;
  #kept: Buffer | undefined;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  push(piece: Buffer): void {
    let rest = this.#kept ? Buffer.concat([this.#kept, piece]) : piece;
    this.#kept = undefined;
    while (rest.length > 0) {
      const used = this.#take(rest);
      if (used === 0) {
        this.#kept = rest;
        return;
      }
      rest = rest.subarray(used);
    }
  }

  /** The number of bytes that it took; 0 if more must come first. */
  #take(bytes: Buffer): number {
    switch (this.#state) {
      case "head":
        return this.#takeHead(bytes);
      case "size": {
        const end = bytes.indexOf("\r\n");
        if (end < 0) return 0;
        this.#left = parseInt(bytes.toString("latin1", 0, end), 16);
        this.#state = this.#left > 0 ? "chunk" : "trailer";
        return end + 2;
      }
      case "gap":
        if (bytes.length < 2) return 0;
        this.#state = "size";
        return 2;
      case "trailer": {
        const end = bytes.indexOf("\r\n");
        if (end < 0) return 0;
        if (end === 0) this.#end();
        return end + 2;
      }
      case "frames":
        this.#listener.body(bytes);
        return bytes.length;
      default: {
        const body = bytes.subarray(0, this.#left);
        this.#left -= body.length;
        this.#listener.body(body);
        if (this.#left === 0 && this.#state === "length") this.#end();
        else if (this.#left === 0) this.#state = "gap";
        return body.length;
      }
    }
  }

  #takeHead(bytes: Buffer): number {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    const answer = { status: Number(bytes.toString("latin1", 9, 12)), head: bytes.toString("latin1", 0, end + 2) };
    this.#answer = answer;
    this.#listener.head(answer);
    if (answer.status === 101) this.#state = "frames";
    else if (answer.status === 204 || answer.status === 304) this.#end();
    else if (field(answer, "transfer-encoding")) this.#state = "size";
    else {
      this.#left = Number(field(answer, "content-length"));
      this.#state = "length";
      if (!(this.#left > 0)) this.#end();
    }
    return end + 4;
  }

  #end(): void {
    this.#state = "head";
    this.#listener.end(this.#answer);
  }
}
