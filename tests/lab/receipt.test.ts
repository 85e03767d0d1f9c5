// From the publish of an event to its receipt: on one server, and where Redis keeps the channels on two hosts.

import { setTimeout as delay } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { Pair } from "../harness/pair.ts";
import { PLATFORM, STORE } from "../harness/platform.ts";
import { announcedSeed, between, randomFrom } from "../harness/random.ts";
import { Server } from "../harness/server.ts";
import { COMMON } from "../harness/shared.ts";
import { describeOwnServer, freshName, numbers, publish } from "../harness/suite.ts";

const EVENTS = 100;
/** Between two events: of any length, so that they fall anywhere between two ticks. */
const PAUSE_MS = 80;
const TICK_MS = 100;

describeOwnServer("a receipt", () => {
  const vars = { ...COMMON, STORE_POLL_MS: String(TICK_MS) };
  let servers: { stop(): Promise<void> };
  /** Of the host that publishes, and of the host that reads. */
  let urls: [string, string];

  beforeAll(async () => {
    if (STORE === "redis") {
      const pair = await Pair.start("receipt", vars, "--appendfsync", "always");
      [servers, urls] = [pair, pair.urls];
    } else {
      const server = await Server.start({ name: "receipt", vars });
      [servers, urls] = [server, [server.url, server.url]];
    }
  });

  afterAll(() => servers?.stop());

  test("follows its publish within two ticks, mostly", async () => {
    const name = freshName();
    const random = randomFrom(announcedSeed());
    const sent: number[] = [];
    const latencies: number[] = [];
    const received: number[] = [];
    await publish(`${urls[0]}/feed/${name}`, 0);
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const answer = await fetch(`${urls[1]}/feed/${name}`, { headers: { accept: "text/event-stream" }, signal: abort.signal });
    const parser = createParser({
      onEvent({ data }) {
        const number = Number(data);
        received.push(number);
        if (number > 0) latencies.push(performance.now() - sent[number]!);
      },
    });
    void (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of answer.body!) parser.feed(decoder.decode(chunk, { stream: true }));
    })().catch(() => {}); // ended by the test
    await eventually("it reads", () => received.length === 1);
    for (const number of numbers(1, EVENTS)) {
      sent[number] = performance.now();
      await publish(`${urls[0]}/feed/${name}`, number);
      await delay(between(random, 0, PAUSE_MS));
    }
    await eventually("all have come", () => received.length > EVENTS);
    expect(received).toEqual(numbers(0, EVENTS));
    latencies.sort((a, b) => a - b);
    const [p50, p99] = [0.5, 0.99].map((share) => latencies[Math.floor(share * (EVENTS - 1))]!) as [number, number];
    const where = PLATFORM === "workers" ? "Workers" : STORE === "redis" ? "two hosts on one Redis" : "one host on SQLite";
    console.log(`${where}: from publish to receipt p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`);
    // Half a tick on average, then the look.
    expect(p50).toBeLessThan(2 * TICK_MS);
  });
});
