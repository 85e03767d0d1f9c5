// Stock clients of shared documents, each with a document of its own, and a bare socket for what no stock client sends.

import { onTestFinished } from "vitest";
import { YjsProvider } from "@durable-streams/y-durable-streams";
import { Awareness } from "y-protocols/awareness";
import YPartyProvider from "y-partyserver/provider";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { varUint } from "./document.ts";
import { eventually } from "./eventually.ts";

/** A document, who is there, and the connection of both. */
export class Client {
  readonly doc = new Y.Doc();
  readonly awareness = new Awareness(this.doc);
  readonly text = this.doc.getText("text");

  /** Waits until the text is this one. */
  async sees(expected: string): Promise<void> {
    await eventually(`the text is ${expected}`, () => this.text.toString() === expected);
  }

  /** The name that another client has given itself, as this one knows it. */
  nameOf(other: Client): string | undefined {
    return (this.awareness.getStates().get(other.awareness.clientID) as { name?: string } | undefined)?.name;
  }
}

/** Ends what a test opened. */
function endedWithTest<T extends { destroy(): void }>(provider: T, client: Client): T {
  onTestFinished(() => {
    provider.destroy();
    client.awareness.destroy();
  });
  return provider;
}

export type Params = Record<string, string>;

/** `y-websocket` of npm: it has the URL and nothing else. */
export class WebsocketClient extends Client {
  readonly provider: WebsocketProvider;
  /** Close code and reason, once the server has ended it for good. */
  closed: { code: number; reason: string } | undefined;
  connections = 0;

  constructor(base: string, name: string, params: Params = {}) {
    super();
    const { awareness } = this;
    // The tabs of a browser share a channel beside the server; clients of a test must not.
    this.provider = endedWithTest(new WebsocketProvider(base.replace(/^http/, "ws"), name, this.doc, { awareness, params, disableBc: true }), this);
    this.provider.on("closed", (closed) => (this.closed = closed));
    this.provider.on("status", ({ status }) => (this.connections += Number(status === "connected")));
  }

  async synced(): Promise<this> {
    await eventually("y-websocket is synced", () => this.provider.synced);
    return this;
  }
}

/** The provider of `y-partyserver`. */
export class PartyClient extends Client {
  readonly provider: YPartyProvider;

  constructor(base: string, name: string) {
    super();
    const { host, pathname } = new URL(base);
    const options = { awareness: this.awareness, prefix: `${pathname}/${name}`, disableBc: true };
    this.provider = endedWithTest(new YPartyProvider(host, name, this.doc, options), this);
  }

  async synced(): Promise<this> {
    await eventually("y-partyserver is synced", () => this.provider.synced);
    return this;
  }
}

/** `@durable-streams/y-durable-streams` over HTTP. */
export class HttpClient extends Client {
  readonly provider: YjsProvider;

  constructor(base: string, name: string, headers: Params = {}) {
    super();
    this.provider = endedWithTest(new YjsProvider({ doc: this.doc, awareness: this.awareness, baseUrl: base, docId: name, headers }), this);
    // It connects again by itself.
    this.provider.on("error", () => {});
  }

  async synced(): Promise<this> {
    await eventually("y-durable-streams is synced", () => this.provider.synced);
    return this;
  }
}

/** A socket without a provider. */
export class RawClient {
  readonly socket: WebSocket;
  readonly messages: Uint8Array[] = [];
  texts = 0;
  closed: { code: number; reason: string } | undefined;

  private constructor(url: string) {
    this.socket = new WebSocket(url.replace(/^http/, "ws"));
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") this.texts += 1;
      else this.messages.push(new Uint8Array(data as ArrayBuffer));
    });
    this.socket.addEventListener("close", ({ code, reason }) => (this.closed = { code, reason }));
    this.socket.addEventListener("error", () => {});
    onTestFinished(() => this.socket.close());
  }

  static async open(url: string): Promise<RawClient> {
    const client = new RawClient(url);
    await eventually("the socket is open", () => client.socket.readyState !== WebSocket.CONNECTING);
    return client;
  }

  send(...bytes: (number | Uint8Array)[]): void {
    this.socket.send(new Uint8Array(bytes.flatMap((part) => (typeof part === "number" ? [part] : [...part]))));
  }

  /** The first message that begins with these bytes, once it has come. */
  async first(...beginning: number[]): Promise<Uint8Array> {
    const find = () => this.messages.find((message) => beginning.every((byte, index) => message[index] === byte));
    await eventually(`a message ${beginning}`, () => find() !== undefined);
    return find()!;
  }

  /** Waits until the server has carried out all that was sent before. */
  async settled(): Promise<void> {
    const counter = [102, 4, ...crypto.getRandomValues(new Uint8Array(4))];
    this.send(...counter);
    await this.first(...counter);
  }

  /** Close code and reason. */
  async end(): Promise<{ code: number; reason: string }> {
    await eventually("the server ends the connection", () => this.closed !== undefined);
    return this.closed!;
  }
}

/** Bytes behind their length. */
export const sized = (bytes: Uint8Array): Uint8Array => new Uint8Array([...varUint(bytes.length), ...bytes]);
