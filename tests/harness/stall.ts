// A stalled reader: its connections read no bytes for a while.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A TCP proxy that stops taking bytes from the server, as a client does whose application does not read. */
export class Stall {
  readonly url: string;
  readonly #servers: Set<Socket>;

  private constructor(url: string, servers: Set<Socket>) {
    this.url = url;
    this.#servers = servers;
  }

  static async start(port: number): Promise<Stall> {
    const servers = new Set<Socket>();
    const listener = createServer((client) => {
      const server = connect(port, "127.0.0.1");
      servers.add(server);
      server.on("data", (chunk) => client.write(chunk));
      client.on("data", (chunk) => server.write(chunk));
      for (const [socket, other] of [[client, server], [server, client]] as const) {
        socket.on("error", () => {});
        socket.on("end", () => other.end());
        socket.on("close", () => {
          other.destroy();
          servers.delete(server);
        });
      }
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    onTestFinished(() => {
      listener.close();
      for (const server of servers) server.destroy();
    });
    return new Stall(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`, servers);
  }

  stop(): void {
    for (const server of this.#servers) server.pause();
  }

  goOn(): void {
    for (const server of this.#servers) server.resume();
  }
}
