// Decoding of `text/event-stream`, to WHATWG HTML 9.2.6.

/** One event, as an `EventSource` would dispatch it. */
export interface SseEvent {
  /** `message` if the server gave no name. */
  event: string;
  data: string;
  /** The last id of the stream, not only of this event. */
  lastEventId: string;
}

/** Parses bytes as they arrive, cut anywhere. */
export class SseParser {
  readonly #decoder = new TextDecoder();
  #line = "";
  /** The last chunk ended in CR: an LF that follows belongs to it. */
  #afterCr = false;
  #event = "";
  #data: string[] = [];
  #lastEventId = "";

  /** The events that this chunk completes. */
  push(chunk: Uint8Array): SseEvent[] {
    const events: SseEvent[] = [];
    let text = this.#decoder.decode(chunk, { stream: true });
    if (text === "") return events;
    if (this.#afterCr && text.startsWith("\n")) text = text.slice(1);
    this.#afterCr = text.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    // The text after the last line end is the beginning of a line.
    const rest = lines.pop()!;
    for (const line of lines) {
      this.#take(this.#line + line, events);
      this.#line = "";
    }
    this.#line += rest;
    return events;
  }

  #take(line: string, events: SseEvent[]): void {
    if (line === "") return this.#dispatch(events);
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#lastEventId = value;
  }

  #dispatch(events: SseEvent[]): void {
    if (this.#data.length > 0) events.push({ event: this.#event || "message", data: this.#data.join("\n"), lastEventId: this.#lastEventId });
    this.#event = "";
    this.#data = [];
  }
}
