// The figures of a channel for its operator: readers by transport, size, and the activity since it woke.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { recycle } from "../harness/host.ts";
import { offers, STORE } from "../harness/platform.ts";
import { Socket } from "../harness/socket.ts";
import { ABSENT, describeOwnServer, header, useOwnServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys } from "../harness/ticket.ts";

const KEY = freshKey();
const VARS = {
  OPEN_ACCESS: "false",
  TICKET_KEYS: ticketKeys(KEY),
  LONG_POLL_MS: "5000",
  HEARTBEAT_MS: "1000",
  RETENTION_MAX_EVENTS: "3",
  SOCKET_WINDOW_BYTES: "4096",
};

const NOBODY = { websocket: 0, "event-source": 0, "durable-sse": 0, "long-poll": 0, awareness: 0, "y-websocket": 0 };

interface Stats {
  scope: "channel" | "instance";
  instance?: string;
  readers: Record<string, number>;
  offset: string;
  events: number;
  storedBytes: number;
  sinceWake: { drops: number; gaps: number; refusals: number };
}

describeOwnServer("stats", () => {
  const server = useOwnServer("stats", VARS);
  let name: string;
  let channel: string;
  let manager: string;

  beforeEach(async () => {
    // One that has taken all its requests within a test would take what it counted with it.
    if (offers("host-counters")) await recycle(server);
    name = `room-${randomUUID()}`;
    channel = `${server.url}/feed/${name}`;
    manager = mint(KEY, { aud: "feed", ch: name, rights: ["read", "publish", "manage"] });
  });

  const ask = (headers: Record<string, string> = {}, method = "GET") =>
    fetch(`${server.url}/feed/-/stats/${name}`, { method, headers: { authorization: `Bearer ${manager}`, ...headers } });

  /** The figures of all instances together, of which there are few. */
  async function stats(): Promise<Record<"readers" | "sinceWake", Record<string, number>>> {
    const instances = new Map<string | undefined, Stats>();
    for (let asks = offers("durable-objects") ? 1 : 6; asks > 0; asks -= 1) {
      const answer = await ask();
      expect(answer.status).toBe(200);
      const stats = (await answer.json()) as Stats;
      instances.set(stats.instance, stats);
    }
    const told = [...instances.values()];
    return { readers: sum(told.map(({ readers }) => readers)), sinceWake: sum(told.map(({ sinceWake }) => sinceWake)) };
  }

  /** Polls now and then: an instance of Spin serves a limited number of requests. */
  const counts = (readers: Record<string, number>) =>
    eventually(`readers are ${JSON.stringify(readers)}`, async () => {
      await delay(250);
      return isDeepStrictEqual((await stats()).readers, { ...NOBODY, ...readers });
    });

  async function publish(body: unknown, ticket = manager): Promise<Response> {
    const headers = { "content-type": "application/json", authorization: `Bearer ${ticket}` };
    return fetch(channel, { method: "POST", headers, body: JSON.stringify(body) });
  }

  /** A request that is kept until the test ends, or `leave` is called. */
  function hold(query: string, accept = "*/*"): () => void {
    const leaving = new AbortController();
    onTestFinished(() => leaving.abort());
    const answer = fetch(`${channel}?offset=now${query}`, { headers: { accept, authorization: `Bearer ${manager}` }, signal: leaving.signal });
    answer.then((answer) => answer.text()).catch(() => {});
    return () => leaving.abort();
  }

  test("need the right to manage the channel, by GET", async () => {
    await publish([1]);
    expect((await fetch(`${server.url}/feed/-/stats/${name}`)).status).toBe(401);
    const reader = mint(KEY, { aud: "feed", ch: name, rights: ["read"] });
    expect((await ask({ authorization: `Bearer ${reader}` })).status).toBe(403);
    expect((await ask({}, "POST")).status).toBe(405);
  });

  test("do not exist for a missing channel, and do not create the channel", async () => {
    for (const _ of [1, 2]) {
      const answer = await ask();
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ type: "urn:tidewire:channel-not-found" });
    }
    const answer = await fetch(channel, { method: "HEAD", headers: { authorization: `Bearer ${manager}` } });
    expect(header(answer, "stream-next-offset")).toBe(ABSENT);
  });

  test("tell the size of what is kept, and where its end is", async () => {
    await publish(["a", "b", "c", "d"]);
    const offset = header(await publish(["e"]), "stream-next-offset");
    const answer = await ask();
    expect(header(answer, "cache-control")).toBe("no-store");
    expect(await answer.json()).toEqual({
      ...(offers("durable-objects") ? { scope: "channel" } : { scope: "instance", instance: expect.stringMatching(/^[0-9a-f]{8}$/) }),
      readers: NOBODY,
      offset,
      events: 3,
      storedBytes: 9,
      sinceWake: { drops: 0, gaps: 0, refusals: 0 },
      ...(offers("durable-objects") ? {} : { store: { engine: STORE, lookMs: expect.any(Number), reconnects: 0 } }),
    });
  });

  test("count the readers of each transport, and no longer than they stay", async () => {
    await publish([1]);
    const leave = [hold("", "text/event-stream"), hold("", "text/event-stream"), hold("&live=sse"), hold("&live=long-poll")];
    const socket = offers("websocket") ? await Socket.open(channel, { ticket: manager }) : undefined;
    await counts({ websocket: socket ? 1 : 0, "event-source": 2, "durable-sse": 1, "long-poll": 1 });
    for (const each of leave.slice(1)) each();
    socket?.raw.close();
    await counts({ "event-source": 1 });
  });

  test("count publishes that the channel refused, and gaps that readers got", async () => {
    // On Spin a reader keeps its instance alive. A reader of this channel might get a gap itself, or spare another reader a gap.
    const bystander = mint(KEY, { aud: "feed", ch: `${name}-other`, rights: ["read"] });
    const other = await fetch(`${channel}-other?offset=now`, { headers: { accept: "text/event-stream", authorization: `Bearer ${bystander}` } });
    onTestFinished(() => other.body!.cancel());
    const first = header(await publish(["a"]), "stream-next-offset");
    await publish(["b", "c", "d", "e"]);
    expect((await publish([])).status).toBe(400);
    const reader = mint(KEY, { aud: "feed", ch: name, rights: ["read"] });
    expect((await publish(["x"], reader)).status).toBe(403);
    const stale = await fetch(`${channel}?offset=${first}`, { headers: { authorization: `Bearer ${manager}` } });
    expect(stale.status).toBe(410);
    const stream = await fetch(`${channel}?offset=${first}`, { headers: { accept: "text/event-stream", authorization: `Bearer ${manager}` } });
    await stream.body!.cancel();
    expect((await stats()).sinceWake).toEqual({ drops: 0, gaps: 2, refusals: 1 });
  });

  test("count the sockets that were too slow", { tags: ["websocket"] }, async () => {
    const socket = await Socket.open(channel, { ticket: manager });
    await socket.first("hello");
    for (const letter of ["a", "b", "c", "d"]) await publish([letter.repeat(3_000)]);
    expect((await socket.first("close")).code).toBe(3008);
    expect((await stats()).sinceWake.drops).toBe(1);
  });

  test("are text for Prometheus if it accepts text", async () => {
    await publish(["a", "b"]);
    const answer = await ask({ accept: "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1" });
    expect(header(answer, "content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const samples = parse(await answer.text());
    const scope = offers("durable-objects") ? 'scope="channel"' : /scope="instance",instance_id="[0-9a-f]{8}"/.exec([...samples.keys()][0]!)?.[0];
    const of = `function="feed",channel="${name}",${scope}`;
    expect(samples.get(`tidewire_readers{${of},transport="durable-sse"}`)).toBe(0);
    expect(samples.get(`tidewire_published_total{${of}}`)).toBe(2);
    expect(samples.get(`tidewire_events{${of}}`)).toBe(2);
    expect(samples.get(`tidewire_stored_bytes{${of}}`)).toBe(6);
    expect(samples.size).toBe(offers("durable-objects") ? 12 : 14);
    if (offers("durable-objects")) return;
    const look = samples.get(`tidewire_store_look_seconds{${of},engine="${STORE}"}`);
    expect(look).toBeGreaterThan(0);
    expect(look).toBeLessThan(5);
    expect(samples.get(`tidewire_store_reconnects_total{${of},engine="${STORE}"}`)).toBe(0);
  });
});

function sum(told: Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const counts of told) for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count;
  return sums;
}

/** Samples by name and labels, as the text format 0.0.4 has them: each after the `HELP` and the `TYPE` of its metric. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  let metric = "";
  expect(text.endsWith("\n")).toBe(true);
  for (const line of text.slice(0, -1).split("\n")) {
    const type = /^# TYPE ([a-z_]+) (?:counter|gauge)$/.exec(line);
    if (type) metric = type[1]!;
    if (line.startsWith("#")) {
      expect(line).toMatch(/^# (?:HELP|TYPE) [a-z_]+ \S/);
      continue;
    }
    const sample = /^(([a-z_]+)\{(?:[a-z_]+="[^"\\]*",?)+\}) (\d+(?:\.\d+)?)$/.exec(line);
    expect(sample?.[2], line).toBe(metric);
    samples.set(sample![1]!, Number(sample![3]));
  }
  return samples;
}
