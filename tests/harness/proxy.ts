// A TCP proxy on the loopback that cuts connections the hard way: with RST, in the middle of whatever passes.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Proxy {
  readonly #listener: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  #cutAt = Infinity;
  #onCut: (() => void) | undefined;

  /** Connections accepted, cuts made, and bytes passed to the client. */
  connections = 0;
  cuts = 0;
  bytesDown = 0;

  private constructor(targetPort: number) {
    this.#listener = createServer((client) => this.#join(client, connect(targetPort, "127.0.0.1")));
  }

  static async start(targetPort: number): Promise<Proxy> {
    const proxy = new Proxy(targetPort);
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Resets every connection now. */
  cut(): void {
    this.cuts += 1;
    this.#cutAt = Infinity;
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
    this.#pairs.clear();
    this.#onCut?.();
  }

  /** Resets every connection once `bytes` more bytes have passed to clients, possibly in the middle of an event. */
  cutAfter(bytes: number): Promise<void> {
    this.#cutAt = this.bytesDown + bytes;
    return new Promise((done) => (this.#onCut = done));
  }

  async stop(): Promise<void> {
    const closed = once(this.#listener, "close");
    this.#listener.close();
    this.cut();
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    this.connections += 1;
    const pair: [Socket, Socket] = [client, server];
    this.#pairs.add(pair);
    server.on("data", (chunk) => {
      const left = this.#cutAt - this.bytesDown;
      const passed = chunk.length <= left ? chunk : chunk.subarray(0, left);
      this.bytesDown += passed.length;
      // The cut waits until the kernel has the bytes, or the reader would never see half an event.
      const flushed = client.write(passed, () => {
        if (this.bytesDown >= this.#cutAt) this.cut();
      });
      if (!flushed) {
        server.pause();
        client.once("drain", () => server.resume());
      }
    });
    client.on("data", (chunk) => server.write(chunk));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.setNoDelay(true);
      // An error is always followed by `close`, which ends the other side too.
      socket.on("error", () => {});
      socket.on("end", () => other.end());
      socket.on("close", () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
