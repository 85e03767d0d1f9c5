// Many readers on Spin: each instance reads the store once an interval, not once for each reader or channel, and one of its readers is awake for all.

import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { computedSeconds, counters, looks, residentBytes } from "../harness/host.ts";
import { STORE } from "../harness/platform.ts";
import { describeOwnServer, freshName, numbers, publish, useOwnServer } from "../harness/suite.ts";

const STREAMS = 1_000;
const POLLS = 200;
/** Readers that come at once. */
const ARRIVING = 20;
const INTERVAL_MS = 100;
const WINDOW_MS = 5_000;
/** Five a second for the time of the window. */
const EVENTS = 25;
/** Reads that an instance may make in a second for all the channels that it watches, while they rest. */
const READS_AT_REST = 12;
/** Readers that leave step by step, the oldest first. */
const LEAVING = 50;
const STEP = 10;
/** Events of the second round, whose every one brings all the polls back: one a second. */
const POLLED_EVENTS = 5;

/** Reads of the store and requests per second, and the most instances that were alive. */
interface Cost {
  reads: number;
  requests: number;
  instances: number;
}

describeOwnServer("readers", () => {
  const server = useOwnServer("readers", { LONG_POLL_MS: "60000", STORE_POLL_MS: String(INTERVAL_MS) });

  test(`${STREAMS} SSE readers and ${POLLS} long polls cost one read of the store per instance and interval`, { timeout: 180_000, tags: ["host-counters"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    await publish(channel, 0);
    const before = residentBytes(server);
    const closing = new AbortController();
    const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
    onTestFinished(() => {
      closing.abort();
      agent.destroy();
    });
    const sent: number[] = [];
    let latencies: number[] = [];
    const received: number[][] = [];
    const everyoneHas = (count: number) => received.every((events) => events.length >= count);

    async function connect(follow: typeof followStream, count: number, published: number): Promise<void> {
      for (const index of numbers(1, count)) {
        const events: number[] = [];
        received.push(events);
        follow(channel, { agent, signal: closing.signal }, (number) => {
          events.push(number);
          if (sent[number]) latencies.push(performance.now() - sent[number]);
        });
        // Not all in one moment: Spin starts an instance whenever all it has are busy, and keeps it for as long as it has a stream.
        if (index % ARRIVING === 0) await eventually("those are connected", () => everyoneHas(published));
      }
      await eventually("all are held", async () => (await counters(server)).open_requests >= received.length);
    }

    /** Publishes for the time of the window. Returns the cost, and the time of each delivery. */
    async function load(from: number, events: number): Promise<{ cost: Cost; reach: string }> {
      latencies = [];
      const cost = await costOf(async () => {
        const start = performance.now();
        for (const [index, number] of numbers(from, from + events - 1).entries()) {
          await delay(start + (index * WINDOW_MS) / events - performance.now());
          sent[number] = performance.now();
          await publish(channel, number);
        }
      });
      await eventually("everyone has everything", () => everyoneHas(from + events));
      latencies.sort((a, b) => a - b);
      const at = (share: number) => latencies[Math.ceil(share * latencies.length) - 1]!.toFixed(0);
      return { cost, reach: `publish to receive p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms` };
    }

    await connect(followStream, STREAMS, 1);
    const memory = (residentBytes(server) - before) / STREAMS / 1024;
    const streams = await load(1, EVENTS);
    sent.length = 0;
    await connect(followPolls, POLLS, 1 + EVENTS);
    const rest = await costOf(() => delay(WINDOW_MS));
    const all = await load(1 + EVENTS, POLLED_EVENTS);
    for (const events of received) expect(events).toEqual(numbers(0, EVENTS + POLLED_EVENTS));

    const inWords = ({ reads, requests, instances }: Cost) => `${reads.toFixed(0)} reads and ${requests.toFixed(0)} requests a second, ${instances} instances`;
    console.log(
      [
        `readers: ${memory.toFixed(0)} KiB for each of ${STREAMS} SSE streams`,
        `streams, five publishes a second: ${inWords(streams.cost)}; ${streams.reach}`,
        `with ${POLLS} long polls, at rest: ${inWords(rest)}`,
        `with ${POLLS} long polls, one publish a second: ${inWords(all.cost)}; ${all.reach}`,
      ].join("\n"),
    );
    for (const [{ reads, requests, instances }, events] of [[streams.cost, EVENTS], [rest, 0], [all.cost, POLLED_EVENTS]] as const) {
      // SQLite answers with the page of the news. Redis tells of all channels at once which of them have news.
      const pages = STORE === "redis" ? (events * 1_000) / WINDOW_MS : 0;
      // A request that arrives may read once to find its place; a publish, and a long poll that returns. Readers that wait cost nothing more.
      expect(reads - requests).toBeLessThanOrEqual(1.2 * instances * (1_000 / INTERVAL_MS + pages));
    }
  });

  test(`${STREAMS} SSE readers of as many channels cost ${READS_AT_REST} reads of the store a second and instance`, { timeout: 180_000, tags: ["host-counters"] }, async () => {
    const name = freshName();
    const channels = numbers(1, STREAMS).map((index) => `${server.url}/feed/${name}-${index}`);
    const closing = new AbortController();
    const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
    onTestFinished(() => {
      closing.abort();
      agent.destroy();
    });
    const received: number[][] = [];
    for (const [index, channel] of channels.entries()) {
      const events: number[] = [];
      received.push(events);
      await publish(channel, index);
      followStream(channel, { agent, signal: closing.signal }, (number) => events.push(number));
      if (index % ARRIVING === 0) await eventually("those are connected", () => received.every((events) => events.length > 0));
    }
    await eventually("all are connected", () => received.every((events) => events.length > 0));
    await delay(1_000);

    const computed = computedSeconds(server);
    const rest = await costOf(() => delay(WINDOW_MS));
    const share = (computedSeconds(server) - computed) / (WINDOW_MS / 1_000);
    const busy = await costOf(async () => {
      for (const number of numbers(1, EVENTS)) {
        await publish(channels[0]!, number);
        await delay(WINDOW_MS / EVENTS);
      }
    });
    await eventually("it has everything", () => received[0]!.length > EVENTS);
    expect(received).toEqual(channels.map((_, index) => (index === 0 ? numbers(0, EVENTS) : [index])));

    const inWords = ({ reads, instances }: Cost) => `${reads.toFixed(0)} reads a second, ${instances} instances`;
    console.log(`${STREAMS} channels at rest: ${inWords(rest)}, ${(share * 100).toFixed(0)} % of a core; one with five publishes a second: ${inWords(busy)}`);
    expect(rest.reads / rest.instances, "reads a second and instance at rest").toBeLessThanOrEqual(READS_AT_REST);
    // A publish reads once to decide, and its reader's instance reads the event.
    expect((busy.reads - 2 * busy.requests) / busy.instances, "reads a second and instance, beside the one channel").toBeLessThanOrEqual(READS_AT_REST);
  });

  test("whoever leaves, those that stay get every event", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    await publish(channel, 0);
    const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
    const readers = numbers(0, LEAVING).map(() => ({ events: [] as number[], leaving: new AbortController() }));
    onTestFinished(() => {
      readers.forEach(({ leaving }) => leaving.abort());
      agent.destroy();
    });
    let published = 0;
    const stayingHaveAll = () => readers.every(({ events, leaving }) => leaving.signal.aborted || events.length > published);
    for (const { events, leaving } of readers) {
      followStream(channel, { agent, signal: leaving.signal }, (number) => events.push(number));
      await eventually("it is connected", () => events.length > 0);
    }
    while (published < (3 * LEAVING) / STEP) {
      // The first event shows the server who has left.
      if (published % 3 === 0) readers.filter(({ leaving }) => !leaving.signal.aborted).slice(0, STEP).forEach(({ leaving }) => leaving.abort());
      published += 1;
      await publish(channel, published);
      await eventually("those that stay have it", stayingHaveAll);
    }
    expect(readers.at(-1)!.events).toEqual(numbers(0, published));
  });

  async function costOf(what: () => Promise<unknown>): Promise<Cost> {
    const first = await counters(server);
    const start = performance.now();
    let instances = first.instances_active;
    let isOver = false;
    const happening = what().finally(() => (isOver = true));
    while (!isOver) {
      await delay(100);
      instances = Math.max(instances, (await counters(server)).instances_active);
    }
    await happening;
    const last = await counters(server);
    const perSecond = (count: number) => (count / (performance.now() - start)) * 1_000;
    const reads = looks(last) - looks(first);
    return { reads: perSecond(reads), requests: perSecond(last.requests - first.requests), instances };
  }
});

interface Connection {
  agent: http.Agent;
  signal: AbortSignal;
}

type Take = (number: number) => void;

function followStream(channel: string, { agent, signal }: Connection, take: Take, offset = "-1"): void {
  const parser = createParser({
    onEvent({ data, id }) {
      offset = id!;
      take(Number(data));
    },
  });
  get(`${channel}?offset=${offset}`, { agent, signal, headers: { accept: "text/event-stream" } }, (answer) => {
    answer.setEncoding("utf8").on("data", (text: string) => parser.feed(text));
    // The server ends a stream after a while.
    answer.on("end", () => followStream(channel, { agent, signal }, take, offset));
  });
}

function followPolls(channel: string, { agent, signal }: Connection, take: Take, offset = "-1"): void {
  get(`${channel}?offset=${offset}&live=long-poll`, { agent, signal }, (answer) => {
    let body = "";
    answer.setEncoding("utf8").on("data", (text: string) => (body += text));
    answer.on("end", () => {
      if (answer.statusCode === 200) (JSON.parse(body) as number[]).forEach(take);
      followPolls(channel, { agent, signal }, take, answer.headers["stream-next-offset"] as string);
    });
  });
}

/** A request whose errors count until it is aborted. */
function get(url: string, options: http.RequestOptions, take: (answer: http.IncomingMessage) => void): void {
  const fail = (error: Error) => {
    if (!options.signal!.aborted) throw error;
  };
  http.get(url, options, (answer) => take(answer.on("error", fail))).on("error", fail);
}
