// Push services on the loopback: one that a stranger wrote, which checks and decrypts, and one of ours that answers what a test says.

import { createECDH, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { secret } from "./secrets.ts";

/** What a browser gives a page. */
export interface Subscription {
  endpoint: string;
  keys: { p256dh: string; auth: string };
}

/** The text of a message, as a service worker gets it. */
export interface Message {
  web_push?: number;
  notification: { title: string; body: string; navigate?: string };
  tidewire: { id: string; offset: string; at: number; url?: string };
}

/** A key as VAPID_KEYS has it, and what its pages get. */
export function freshVapid(kid = "k1"): { setting: string; publicKey: string } {
  const pair = createECDH("prime256v1");
  pair.generateKeys();
  return { setting: `${kid}:${secret(pair.getPrivateKey("base64url"))}`, publicKey: pair.getPublicKey("base64url") };
}

// None of them has types.
const load = createRequire(import.meta.url);
const ece = load("http_ece") as { decrypt(body: Buffer, options: object): Buffer };
const { PushApiModel } = load("web-push-testing/src/PushApiModel.js") as { PushApiModel: new () => object };
const TestingServer = load("web-push-testing/src/server.js") as new (model: object, port: number) => { _app: RequestListener; setRequestHandlers(): void };

/** Listens on the loopback alone. */
async function listening(): Promise<{ server: Server; origin: string; port: number }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, port, origin: `http://127.0.0.1:${port}` };
}

function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}

/** npm's `web-push-testing`: it verifies tokens and keys, and decrypts. */
export class StrictService {
  readonly origin: string;
  readonly #server: Server;

  private constructor(server: Server, origin: string) {
    this.#server = server;
    this.origin = origin;
  }

  static async start(): Promise<StrictService> {
    const { server, origin, port } = await listening();
    const theirs = new TestingServer(new PushApiModel(), port);
    theirs.setRequestHandlers();
    server.on("request", theirs._app);
    return new StrictService(server, origin);
  }

  /** A browser that subscribes with this key. */
  async subscribe(applicationServerKey: string): Promise<{ subscription: Subscription; hash: string }> {
    const { data } = (await this.#ask("subscribe", { applicationServerKey, userVisibleOnly: "true" })) as { data: Subscription & { clientHash: string } };
    // It says `localhost`, which may be another address.
    const endpoint = data.endpoint.replace(/^http:\/\/[^/]*/, this.origin);
    secret(data.clientHash);
    return { subscription: { endpoint, keys: data.keys }, hash: data.clientHash };
  }

  /** What the browser received. */
  async received(clientHash: string): Promise<Message[]> {
    const { data } = (await this.#ask("get-notifications", { clientHash })) as { data: { messages: string[] } };
    return data.messages.map((text) => JSON.parse(text) as Message);
  }

  /** The user unsubscribes. */
  async expire(clientHash: string): Promise<void> {
    await fetch(`${this.origin}/expire-subscription/${clientHash}`, { method: "POST" });
  }

  stop(): void {
    close(this.#server);
  }

  async #ask(path: string, body: object): Promise<unknown> {
    const answer = await fetch(`${this.origin}/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  }
}

/** An answer; `silence` keeps the connection open without one. */
export type Says = { status: number; headers?: Record<string, string>; body?: string } | "silence";

interface Browser {
  pair: ReturnType<typeof createECDH>;
  auth: Buffer;
  says: Says[];
  /** `at` is by `performance.now()`. */
  received: { headers: IncomingHttpHeaders; message: Message; bytes: number; at: number }[];
}

/** Answers what a test says, else 201, and keeps what came. */
export class PushService {
  readonly origin: string;
  readonly #server: Server;
  readonly #browsers = new Map<string, Browser>();

  private constructor(server: Server, origin: string) {
    this.#server = server;
    this.origin = origin;
    server.on("request", async (request, response) => {
      const browser = this.#browsers.get(request.url!);
      const body = Buffer.concat(await request.toArray());
      if (!browser) return response.writeHead(404).end();
      const options = { version: "aes128gcm", privateKey: browser.pair, authSecret: browser.auth.toString("base64url") };
      const message = JSON.parse(ece.decrypt(body, options).toString()) as Message;
      browser.received.push({ headers: request.headers, message, bytes: body.length, at: performance.now() });
      const says = browser.says.shift() ?? { status: 201 };
      if (says !== "silence") response.writeHead(says.status, says.headers).end(says.body);
    });
  }

  static async start(): Promise<PushService> {
    const { server, origin } = await listening();
    return new PushService(server, origin);
  }

  /** A browser with a subscription, to which the service answers this, one after the other. */
  browser(...says: Says[]): { subscription: Subscription; received: Browser["received"] } {
    const pair = createECDH("prime256v1");
    pair.generateKeys();
    const browser: Browser = { pair, auth: randomBytes(16), says, received: [] };
    const path = `/p/${secret(randomBytes(16).toString("hex"))}`;
    this.#browsers.set(path, browser);
    const keys = { p256dh: pair.getPublicKey("base64url"), auth: secret(browser.auth.toString("base64url")) };
    return { subscription: { endpoint: `${this.origin}${path}`, keys }, received: browser.received };
  }

  stop(): void {
    close(this.#server);
  }
}
