// A `tidewire.v1` connection for tests that look at single frames.

import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import { webSocketUrl, type ServerFrame } from "./readers.ts";

type Frame<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

export class Socket {
  readonly frames: ServerFrame[] = [];
  /** Literal text that is not a frame: `pong`. */
  readonly texts: string[] = [];
  readonly raw: WebSocket;
  /** The close code, once it is closed. */
  closeCode: number | undefined;

  private constructor(raw: WebSocket) {
    this.raw = raw;
    raw.addEventListener("message", ({ data }) => {
      if (data === "pong") this.texts.push(data);
      else this.frames.push(JSON.parse(data as string) as ServerFrame);
    });
    raw.addEventListener("close", ({ code }) => (this.closeCode = code));
  }

  /** Connects and is closed with the test. */
  static async open(channel: string, query: Record<string, string> = {}, protocols: string[] = ["tidewire.v1"]): Promise<Socket> {
    const socket = new Socket(new WebSocket(webSocketUrl(channel, query), protocols));
    onTestFinished(() => socket.raw.close());
    await eventually("the socket is open", () => socket.raw.readyState !== WebSocket.CONNECTING);
    return socket;
  }

  send(frame: unknown): void {
    this.raw.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  all<T extends ServerFrame["type"]>(type: T): Frame<T>[] {
    return this.frames.filter((frame): frame is Frame<T> => frame.type === type);
  }

  /** The first frame of this type, once it has come. */
  async first<T extends ServerFrame["type"]>(type: T): Promise<Frame<T>> {
    await eventually(`a frame ${type}`, () => this.all(type).length > 0);
    return this.all(type)[0]!;
  }

  /** The data of all events so far. */
  get events(): unknown[] {
    return this.all("events").flatMap(({ events }) => events.map(({ data }) => data));
  }

  async hasEvents(count: number): Promise<void> {
    await eventually(`${count} events`, () => this.events.length >= count);
  }

  async closed(): Promise<number> {
    await eventually("the socket is closed", () => this.closeCode !== undefined);
    return this.closeCode!;
  }
}
