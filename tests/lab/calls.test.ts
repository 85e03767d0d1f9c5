// How often the Worker's wasm calls JavaScript, for what most requests and frames are: each call costs, and they add up unseen. Counted, not timed, in real workerd.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { read } from "../harness/readers.ts";
import { BUILD } from "../harness/server.ts";
import { describeOwnServer, freshName, numbers, publish, publishAll } from "../harness/suite.ts";

const READERS = 10;
/** Events of a page: their number must not matter. */
const PAGE = 500;
/** The lowest count is the result: a timer or a heartbeat may fall into a round. */
const ROUNDS = 5;
/** Without a call for as long, nothing runs any more. */
const QUIET_MS = 50;

const { calls: BUDGETS } = JSON.parse(readFileSync(new URL("../budgets.json", import.meta.url), "utf8")) as { calls: Record<string, number> };

/** Runs before the Worker is instantiated: the functions that its wasm imports count themselves. */
const COUNTING = `
globalThis.calls = 0;
const { Instance } = WebAssembly;
const counted = (called) => typeof called === "function" ? (...parameters) => { globalThis.calls += 1; return called(...parameters); } : called;
const each = (object, change) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
WebAssembly.Instance = function (module, imports) {
  return new Instance(module, each(imports, (names) => each(names, counted)));
};`;

/** The Worker itself, and a path without any wasm that tells the count. */
const MAIN = `
import "./counting.js";
import Worker from "./index.js";
export * from "./index.js";
export default class extends Worker {
  fetch(request) {
    return new URL(request.url).pathname === "/calls" ? new Response(String(globalThis.calls)) : super.fetch(request);
  }
}`;

describeOwnServer("calls out of wasm", () => {
  let miniflare: Miniflare;
  let url: string;
  beforeAll(async () => {
    const module = (name: string, contents: string | Uint8Array<ArrayBuffer>) => ({ type: typeof contents === "string" ? ("ESModule" as const) : ("CompiledWasm" as const), path: join(BUILD, name), contents });
    miniflare = new Miniflare(
      convertV4MiniflareOptions({
        cf: false,
        modules: [
          module("main.js", MAIN),
          module("counting.js", COUNTING),
          module("index.js", readFileSync(join(BUILD, "index.js"), "utf8")),
          module("index_bg.wasm", new Uint8Array(readFileSync(join(BUILD, "index_bg.wasm")))),
        ],
        modulesRoot: BUILD,
        compatibilityDate: "2026-11-01",
        compatibilityFlags: ["enable_request_signal"],
        bindings: { OPEN_ACCESS: "true" },
        durableObjects: { FEED_CHANNEL: { className: "FeedChannel", useSQLite: true } },
      }),
    );
    url = (await miniflare.ready).origin;
  });
  afterAll(() => miniflare.dispose());

  /** The calls so far, once nothing runs any more. */
  async function calls(): Promise<number> {
    const now = async () => Number(await (await fetch(`${url}/calls`)).text());
    let before = await now();
    await eventually("the Worker is quiet", async () => {
      await delay(QUIET_MS);
      const after = await now();
      const isQuiet = after === before;
      before = after;
      return isQuiet;
    });
    return before;
  }

  /** The calls of this work, and of what it leaves to do. */
  async function callsOf(work: (round: number) => Promise<unknown>): Promise<number> {
    const counts: number[] = [];
    for (const round of numbers(1, ROUNDS)) {
      const before = await calls();
      await work(round);
      counts.push((await calls()) - before);
    }
    return Math.min(...counts);
  }

  /** The calls of one append to a channel that nobody reads. */
  async function append(): Promise<number> {
    const channel = `${url}/feed/${freshName()}`;
    await publish(channel, 0);
    return callsOf((round) => publish(channel, round));
  }

  /** Compares with tests/budgets.json, which says what is wrong by its number. */
  function expectWithin(name: string, count: number): void {
    console.log(`calls out of wasm: ${name}: ${count}`);
    expect(count, `calls of one ${name}: make them fewer, or raise the budget in tests/budgets.json and say why in the commit`).toBeLessThanOrEqual(BUDGETS[name]!);
    // Or the test counts nothing.
    expect(count).toBeGreaterThan(0);
  }

  test("an append keeps its budget", { tags: ["durable-objects"] }, async () => {
    expectWithin("append", await append());
  });

  test("a page keeps its budget", { tags: ["durable-objects"] }, async () => {
    const channel = `${url}/feed/${freshName()}`;
    await publishAll(channel, numbers(1, PAGE));
    const count = await callsOf(async () => {
      expect(await (await fetch(`${channel}?offset=-1`)).json()).toEqual(numbers(1, PAGE));
    });
    expectWithin("page", count);
  });

  // A long poll: its answer, and the request that follows.
  for (const [transport, name] of [["sse", "sse-frame"], ["long-poll", "long-poll"]] as const) {
    test(`one ${name} to a reader keeps its budget`, { tags: ["durable-objects"] }, async () => {
      const channel = `${url}/feed/${freshName()}`;
      const offset = await publish(channel, 0);
      const readers = numbers(1, READERS).map(() => read(transport, channel, offset));
      onTestFinished(() => readers.forEach((reader) => reader.close()));
      const count = await callsOf(async (round) => {
        await publish(channel, round);
        await eventually("each reader has the event", () => readers.every(({ events }) => events.length === round));
      });
      expectWithin(name, Math.ceil((count - (await append())) / READERS));
    });
  }
});
