// HTTP servers of a test's own: a server that answers as the test says, and a proxy that blocks some transports.

import { once } from "node:events";
import { createServer, request, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** Serves until the test ends; returns the base URL. */
export async function serve(answer: RequestListener): Promise<string> {
  return listen(createServer(answer));
}

/** A proxy that refuses every upgrade; and, with `endsSse`, ends each event stream after a heartbeat. Counts what it refused. */
export class Middlebox {
  readonly url: string;
  upgrades = 0;
  streams = 0;
  endsSse: boolean;
  readonly #open = new Set<ServerResponse>();

  private constructor(url: string, endsSse: boolean) {
    this.url = url;
    this.endsSse = endsSse;
  }

  static async start(target: string, endsSse = false): Promise<Middlebox> {
    let box: Middlebox | undefined;
    const server = createServer((asked, answer) => {
      const isSse = asked.headers.accept === "text/event-stream";
      const passed = request(new URL(asked.url!, target), { method: asked.method, headers: asked.headers }, (got) => {
        answer.writeHead(got.statusCode!, got.headers);
        if (isSse && box!.endsSse) {
          box!.streams += 1;
          got.destroy();
          answer.end(":\n\n");
        } else {
          if (isSse) box!.#open.add(answer);
          got.pipe(answer);
        }
      });
      passed.on("error", () => answer.destroy());
      answer.on("close", () => passed.destroy());
      asked.pipe(passed);
    });
    server.on("upgrade", (_, socket) => {
      box!.upgrades += 1;
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
    return (box = new Middlebox(await listen(server), endsSse));
  }

  /** Ends the event streams that are open. */
  endStreams(): void {
    for (const answer of this.#open) answer.end();
  }
}

/** A proxy that passes requests on and, when `loses` says so of the number of a POST (from 1), breaks the connection in the place of the answer. */
export class LosingProxy {
  readonly url: string;
  lost = 0;

  private constructor(url: string) {
    this.url = url;
  }

  static async start(target: string, loses: (post: number) => boolean): Promise<LosingProxy> {
    let posts = 0;
    let box: LosingProxy | undefined;
    const url = await serve((asked, answer) => {
      const isLost = asked.method === "POST" && loses((posts += 1));
      const passed = request(new URL(asked.url!, target), { method: asked.method, headers: asked.headers }, (got) => {
        if (!isLost) got.pipe(answer.writeHead(got.statusCode!, got.headers));
        else {
          box!.lost += 1;
          got.resume().on("end", () => asked.socket.resetAndDestroy());
        }
      });
      asked.pipe(passed);
    });
    return (box = new LosingProxy(url));
  }
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
