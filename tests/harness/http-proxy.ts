// An HTTP proxy on the loopback that changes the headers of requests: to add a token, or to demand one.

import { once } from "node:events";
import { createServer, request as requestHttp, ServerResponse, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** Name, value, name, value, ...: as they came, repetitions included. */
type RawHeaders = string[];

/** Headers that belong to one connection, not to the message. */
const HOP = new Set(["connection", "keep-alive", "proxy-connection"]);

export interface HttpProxy {
  /** The address in place of the target's. */
  url: string;
  stop(): Promise<void>;
}

/** Forwards to `target` with the headers that `adapt` gives; answers 401 where it gives no headers. */
export async function startHttpProxy(target: string, adapt: (headers: RawHeaders) => RawHeaders | undefined): Promise<HttpProxy> {
  const { protocol, hostname, port, host, origin, pathname } = new URL(target);
  const request = protocol === "https:" ? requestHttps : requestHttp;
  // Malformed requests are for the target to refuse, so the proxy itself takes all that it can.
  const server = createServer({ insecureHTTPParser: true, maxHeaderSize: 1 << 20, requireHostHeader: false });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sockets = new Set<Duplex>();

  function forward(asked: IncomingMessage, answer: ServerResponse, upgraded?: (answered: IncomingMessage, socket: Duplex, head: Buffer) => void) {
    const adapted = adapt(without(asked.rawHeaders, upgraded ? ["host"] : ["host", ...HOP]));
    if (!adapted) {
      asked.resume();
      answer.writeHead(401).end("no token");
      return;
    }
    const headers = ["host", host, ...adapted];
    const onward = request({ hostname, port, method: asked.method!, path: asked.url!, headers, agent: false, insecureHTTPParser: true });
    onward.on("response", (answered) => {
      const headers = without(answered.rawHeaders, [...HOP]).map((text, index) => (index % 2 === 1 && text.startsWith(origin) ? own + text.slice(origin.length) : text));
      answer.writeHead(answered.statusCode!, answered.statusMessage, headers);
      answer.flushHeaders();
      answered.pipe(answer, { end: false });
      // An answer may come before its request has ended. Closing then would reset the client, possibly before it has read it.
      answered.on("end", () => (asked.readableEnded ? answer.end() : asked.on("end", () => answer.end())));
      answered.on("error", () => answer.destroy());
    });
    if (upgraded) onward.on("upgrade", upgraded);
    // A body that breaks off on one side breaks off on the other. After a whole answer neither matters.
    onward.on("error", () => answer.headersSent || answer.destroy());
    onward.on("close", () => asked.resume());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  }

  server.on("connection", (socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("request", (asked, answer) => {
    try {
      forward(asked, answer);
    } catch {
      // Node parses more than it sends: a control character in a header.
      answer.writeHead(400).end();
    }
  });
  server.on("upgrade", (asked, socket, head) => {
    socket.on("error", () => {});
    // For a target that answers without an upgrade.
    const answer = new ServerResponse(asked);
    answer.assignSocket(socket as never);
    answer.on("finish", () => socket.end());
    forward(asked, answer, (answered, onward, first) => {
      answer.detachSocket(socket as never);
      const lines = [`HTTP/1.1 101 ${answered.statusMessage}`];
      for (let index = 0; index < answered.rawHeaders.length; index += 2) lines.push(`${answered.rawHeaders[index]}: ${answered.rawHeaders[index + 1]}`);
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
      socket.write(first);
      onward.write(head);
      sockets.add(onward);
      for (const [one, other] of [[socket, onward], [onward, socket]] as const) {
        one.on("error", () => {});
        one.on("close", () => other.destroy());
        one.pipe(other);
      }
    });
  });

  return {
    url: own + pathname.replace(/\/$/, ""),
    async stop() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function without(headers: RawHeaders, names: string[]): RawHeaders {
  return headers.filter((_, index) => !names.includes(headers[index - (index % 2)]!.toLowerCase()));
}
