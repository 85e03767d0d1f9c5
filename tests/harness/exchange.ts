// A recorded exchange of `tidewire.v1`: what a client of one version sent and what the server of that version said.
//
//   node harness/exchange.ts VERSION   records one with TIDEWIRE_WORKERS_BUILD into shared/core/vectors/exchanges

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { webSocketUrl } from "./readers.ts";
import { Server } from "./server.ts";

/** A frame, or a text that is not a frame. */
export type Said = Record<string, unknown> | string;

export type Step =
  /** A request beside the connection; offsets in the answer are not looked at. */
  | { http: { method: string; contentType?: string; closes?: boolean; body?: unknown } }
  | { client: Said }
  | { server: Said };

export interface Connection {
  purpose: string;
  /** Of `feed`, unless it says `streams`. */
  function?: "streams";
  before: Step[];
  /** The start; `{offset N}` is the Nth offset that the earlier connections got. */
  offset: string;
  steps: Step[];
  /** The code with which the server ended it. */
  close?: number;
}

export interface Exchange {
  about: string;
  version: string;
  connections: Connection[];
}

const FOLDER = new URL("../../shared/core/vectors/exchanges/", import.meta.url);

export const EXCHANGES = readdirSync(FOLDER).map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")) as Exchange);

export const PREFIX = { feed: "/feed/", streams: "/v1/stream/" };

/** The text of a frame on the wire. */
export const textOf = (said: Said): string => (typeof said === "string" ? said : JSON.stringify(said));

export async function sendHttp(channel: string, { http }: Extract<Step, { http: unknown }>): Promise<void> {
  const headers = { ...(http.contentType && { "content-type": http.contentType }), ...(http.closes && { "stream-closed": "true" }) };
  const body = http.body === undefined ? null : JSON.stringify(http.body);
  const answer = await fetch(channel, { method: http.method, headers, body });
  if (!answer.ok) throw new Error(`${http.method}: ${answer.status} ${await answer.text()}`);
}

/** Offsets of a recording against those of a replay: the same in the same places. */
export class Offsets {
  readonly #actual = new Map<string, string>();
  readonly #isOffset = /^[0-9a-f]{12}_[0-9a-f]{14}$/;

  /** Whether `actual` has all that was recorded; members that it has besides are a later version's. */
  includes(actual: unknown, recorded: unknown): boolean {
    if (typeof recorded === "string" && this.#isOffset.test(recorded) && typeof actual === "string") {
      if (!this.#actual.has(recorded)) this.#actual.set(recorded, actual);
      return this.#actual.get(recorded) === actual;
    }
    if (typeof recorded !== "object" || recorded === null) return actual === recorded;
    if (typeof actual !== "object" || actual === null || Array.isArray(actual) !== Array.isArray(recorded)) return false;
    if (Array.isArray(recorded) && recorded.length !== (actual as unknown[]).length) return false;
    // Texts for people, and values of settings, may change.
    const isFree = (name: string, value: unknown) => !Array.isArray(recorded) && ["detail", "ackBytes"].includes(name) && typeof value === typeof recorded[name as never];
    return Object.entries(recorded).every(([name, value]) => {
      const found = (actual as Record<string, unknown>)[name];
      return isFree(name, found) || this.includes(found, value);
    });
  }

  /** The text with the replay's offsets. */
  translate(text: string): string {
    return [...this.#actual].reduce((result, [recorded, actual]) => result.replaceAll(recorded, actual), text);
  }
}

/** The action of a client, and the number of frames that it then waits for. */
type Script = Omit<Connection, "steps" | "before"> & { before: Step[]; acts: [act: Exclude<Step, { server: Said }> | undefined, frames: number][] };

const JSON_TYPE = "application/json";
const post = (body: unknown): Step => ({ http: { method: "POST", contentType: JSON_TYPE, body } });

function scripts(acks: boolean): Script[] {
  const publish = (id: string, data: unknown, more = {}) => ({ client: { type: "publish", id, data, ...more } });
  return [
    {
      purpose: "history, a publish, a ping, and an event of another publisher",
      before: [post([{ a: 1 }, "two", null])],
      offset: "-1",
      acts: [
        [undefined, 2],
        ...(acks ? ([[{ client: { type: "ack", offset: "{last}" } }, 0]] as Script["acts"]) : []),
        [publish("first", ["mine"]), 2],
        ...(acks
          ? ([
              [publish("numbered", 1, { producer: { id: "p", epoch: 0, seq: 0 } }), 2],
              [publish("again", 1, { producer: { id: "p", epoch: 0, seq: 0 } }), 1],
              [publish("too early", 2, { producer: { id: "p", epoch: 0, seq: 7 } }), 1],
            ] as Script["acts"])
          : []),
        [{ client: "ping" }, 1],
        [post("of another") as Exclude<Step, { server: Said }>, 1],
      ],
    },
    { purpose: "resuming from the second event", before: [], offset: "{offset 1}", acts: [[undefined, 2]] },
    { purpose: "a past that is gone", before: [], offset: "000000000001_00000000000001", acts: [[undefined, 3]] },
    { purpose: "a frame that is none", before: [], offset: "now", acts: [[undefined, 2], [{ client: { type: "publish", id: "a" } }, 1]], close: 3501 },
    { purpose: "the end", before: [], offset: "now", acts: [[undefined, 2], [{ http: { method: "POST", closes: true } }, 2]], close: 1000 },
    {
      purpose: "text, and a publish that is refused",
      function: "streams",
      before: [{ http: { method: "PUT", contentType: "text/plain" } }],
      offset: "-1",
      acts: [[undefined, 2], [publish("refused", 1), 1], [publish("taken", "grün"), 2]],
    },
  ];
}

async function record(version: string): Promise<void> {
  const server = await Server.start({ name: "exchange", vars: { OPEN_ACCESS: "true" } });
  try {
    const told: string[] = [];
    const connections: Connection[] = [];
    for (const { acts, before, close, ...head } of scripts(version !== "0.1")) {
      const channel = `${server.url}${PREFIX[head.function ?? "feed"]}demo-recorded`;
      for (const step of before) await sendHttp(channel, step as Extract<Step, { http: unknown }>);
      const offset = head.offset.replace(/\{offset (\d+)\}/, (_, index: string) => told[Number(index)]!);
      const socket = new WebSocket(webSocketUrl(channel, { offset }), "tidewire.v1");
      const heard: string[] = [];
      let code: number | undefined;
      socket.addEventListener("message", ({ data }) => heard.push(data as string));
      socket.addEventListener("close", (event) => (code = event.code));
      await eventually("the socket is open", () => socket.readyState === WebSocket.OPEN);
      const steps: Step[] = [];
      let taken = 0;
      for (const [act, frames] of acts) {
        const step = act && (JSON.parse(JSON.stringify(act).replace("{last}", told.at(-1)!)) as Step);
        if (step) steps.push(step);
        if (step && "client" in step) socket.send(textOf(step.client));
        if (step && "http" in step) await sendHttp(channel, step);
        await eventually(`${frames} frames for ${head.purpose}`, () => heard.length >= taken + frames);
        for (const text of heard.slice(taken, taken + frames)) {
          steps.push({ server: text.startsWith("{") ? (JSON.parse(text) as Said) : text });
          told.push(...[...text.matchAll(/"offset":"(\w{27})","data"/g)].map(([, found]) => found!));
        }
        taken += frames;
      }
      if (close === undefined) socket.close();
      else await eventually("the close", () => code === close);
      connections.push({ ...head, offset, before, steps, ...(close !== undefined && { close }) });
    }
    const about = `What a client of ${version} sent and what the server of ${version} said. Replayed against the server and the client of today.`;
    writeFileSync(new URL(`v1-${version}.json`, FOLDER), `${JSON.stringify({ about, version, connections } satisfies Exchange, null, 2)}\n`);
  } finally {
    await server.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await record(process.argv[2]!);
  process.exit(0);
}
