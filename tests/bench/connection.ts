// One connection to a server: HTTP/1.1 by hand, since a client that does more would take the time of the second core.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Answers, type Answer } from "./answers.ts";

interface Waiting {
  /** A stream has answered with its head, a request at its end. */
  until: "head" | "end";
  answered(answer: Answer): void;
  failed(error: Error): void;
}

export class Connection {
  /** Gets the bodies, without what frames them in HTTP. */
  body: (piece: Buffer) => void = () => {};
  /** Called when the server, and not this client, ends the connection. */
  ended: () => void = () => {};
  readonly #socket: Socket;
  readonly #port: number;
  #waiting: Waiting | undefined;
  #isClosed = false;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    const settle = (at: Waiting["until"]) => (answer: Answer) => {
      if (this.#waiting?.until !== at) return;
      const { answered } = this.#waiting;
      this.#waiting = undefined;
      answered(answer);
    };
    const answers = new Answers({ head: settle("head"), body: (piece) => this.body(piece), end: settle("end") });
    socket.on("data", (piece) => answers.push(piece));
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      this.#waiting?.failed(new Error("the server ended the connection"));
      this.ended();
    });
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Connection(socket, port);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends a request. Resolves with the end of its answer. */
  request(method: string, path: string, headers: string[] = [], body?: string | Uint8Array): Promise<Answer> {
    return this.#send("end", method, path, headers, body);
  }

  /** Sends the request of a stream or of an upgrade. Resolves with the head of its answer. */
  stream(path: string, headers: string[]): Promise<Answer> {
    return this.#send("head", "GET", path, headers);
  }

  /** Sends a frame of a WebSocket, of text or of bytes, masked with zeros. */
  frame(content: string | Uint8Array): void {
    const data = Buffer.from(content as string);
    if (data.length > 125) throw new Error("the benchmark sends only short frames");
    const kind = typeof content === "string" ? 0x81 : 0x82;
    this.#socket.write(Buffer.concat([Buffer.from([kind, 0x80 | data.length, 0, 0, 0, 0]), data]));
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #send(until: Waiting["until"], method: string, path: string, headers: string[], body?: string | Uint8Array): Promise<Answer> {
    const lines = [`${method} ${path} HTTP/1.1`, `Host: 127.0.0.1:${this.#port}`, ...headers];
    if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
    return new Promise((answered, failed) => {
      if (this.#isClosed) {
        failed(new Error("the server ended the connection"));
        return;
      }
      this.#waiting = { until, answered, failed };
      const head = `${lines.join("\r\n")}\r\n\r\n`;
      this.#socket.write(typeof body === "object" ? Buffer.concat([Buffer.from(head), body]) : `${head}${body ?? ""}`);
    });
  }
}
