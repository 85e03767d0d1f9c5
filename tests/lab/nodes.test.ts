// Two Spin hosts on one Redis: they are one service, whatever breaks between them.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { announcedSeed, randomFrom } from "../harness/random.ts";
import { read } from "../harness/readers.ts";
import { Redis } from "../harness/redis.ts";
import { OUTPUT, Server } from "../harness/server.ts";
import { COMMON } from "../harness/shared.ts";
import { Storm } from "../harness/storm.ts";
import { ABSENT, describeOwnServer, freshName, head, header, numbers, publish } from "../harness/suite.ts";

const NEEDS = { tags: ["redis"] };
const JSON_TYPE = { "content-type": "application/json" };
/** How long Redis swallows what one host sends. */
const PARTITION_MS = 10_000;
const READERS = 1_000;
/** Readers that come at once. */
const ARRIVING = 20;
const BUSY_S = 3;
const REST_S = 5;
/** Questions of an instance in a second: one a tick while something happens. */
const TICKS_S = 10;

describeOwnServer("two hosts on one Redis", () => {
  let folder: string;
  let redis: Redis;
  /** Between the second host and Redis. */
  let way: Proxy;
  let hosts: [Server, Server];

  beforeAll(async () => {
    folder = mkdtempSync(join(OUTPUT, "state", "nodes-"));
    redis = await Redis.start(folder, "--appendfsync", "always");
    way = await Proxy.start(redis.port);
    const start = (name: string, store: string) => Server.start({ name, store, vars: { ...COMMON, HEARTBEAT_MS: "1000" } });
    hosts = [await start("node-a", redis.url), await start("node-b", `redis://127.0.0.1:${way.port}`)];
  });

  afterAll(async () => {
    for (const host of hosts ?? []) await host.stop();
    await way?.stop();
    await redis?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("what one host takes, readers of the other get at once, on every transport", NEEDS, async () => {
    const [a, b] = hosts.map((host) => host.url) as [string, string];
    const name = freshName();
    const readers = (["sse", "long-poll", "poll"] as const).map((transport) => read(transport, `${b}/feed/${name}`));
    onTestFinished(() => readers.forEach((reader) => reader.close()));
    for (const number of numbers(1, 20)) await publish(`${number % 2 ? a : b}/feed/${name}`, number);
    for (const reader of readers) {
      await eventually(`${reader.transport} has all`, () => reader.events.length >= 20);
      expect(reader.events).toEqual(numbers(1, 20));
    }
  });

  test("many publishers of one channel on both hosts are never refused, and each event has one place", NEEDS, async () => {
    const name = freshName();
    const offsets = await Promise.all(
      numbers(1, 32).map(async (publisher) => {
        const own: string[] = [];
        for (const number of numbers(1, 10)) own.push(await publish(`${hosts[publisher % 2]!.url}/feed/${name}`, [publisher, number]));
        expect(own).toEqual([...own].sort());
        return own;
      }),
    );
    expect(new Set(offsets.flat()).size).toBe(320);
    const [first, second] = await Promise.all(hosts.map(async ({ url }) => (await fetch(`${url}/feed/${name}`)).text()));
    expect(second).toBe(first);
    expect(JSON.parse(first!)).toHaveLength(320);
  });

  test("deletion and the number of a producer hold on both", NEEDS, async () => {
    const name = freshName();
    const [a, b] = hosts.map((host) => `${host.url}/feed/${name}`) as [string, string];
    const producer = { ...JSON_TYPE, "producer-id": "p", "producer-epoch": "0", "producer-seq": "0" };
    const send = async (to: string) => (await fetch(to, { method: "POST", headers: producer, body: "1" })).status;
    expect([await send(a), await send(b), await send(a)]).toEqual([200, 204, 204]);
    const reader = read("sse", b);
    onTestFinished(() => reader.close());
    await eventually("it reads", () => reader.events.length === 1);
    expect((await fetch(a, { method: "DELETE" })).status).toBe(204);
    expect(await head(b)).toBe(ABSENT);
    expect(await send(b), "of a new channel").toBe(200);
    await eventually("the reader is told", () => reader.gaps.length === 1 || reader.events.length === 2);
  });

  test("without Redis both answer 503, streams stay open, and go on when it is back", NEEDS, async () => {
    const name = freshName();
    const channels = hosts.map(({ url }) => `${url}/feed/${name}`);
    await publish(channels[0]!, 1);
    const readers = channels.map((channel) => read("sse", channel));
    onTestFinished(() => readers.forEach((reader) => reader.close()));
    for (const reader of readers) await eventually("it reads", () => reader.events.length === 1);
    await redis.kill9();
    for (const channel of channels) {
      for (const answer of [await fetch(channel, { method: "POST", headers: JSON_TYPE, body: "2" }), await fetch(channel)]) {
        expect([answer.status, ((await answer.json()) as { type: string }).type]).toEqual([503, "urn:tidewire:store-unavailable"]);
        expect(Number(header(answer, "retry-after"))).toBeGreaterThan(0);
      }
    }
    await redis.restart();
    await eventually("it takes events again", async () => (await fetch(channels[1]!, { method: "POST", headers: JSON_TYPE, body: "3" })).status === 204);
    for (const reader of readers) {
      await eventually("it goes on", () => reader.events.length === 2);
      expect([reader.events, reader.requests, reader.gaps]).toEqual([[1, 3], 1, []]);
    }
    // The instance with the reader tells that it lost its connection.
    for (const { url } of hosts) {
      await eventually("stats tell it", async () => {
        // Until other instances have ended.
        await delay(1_100);
        const { readers, store } = (await (await fetch(`${url}/feed/-/stats/${name}`)).json()) as { readers: Record<string, number>; store: { engine: string; reconnects: number } };
        expect(store.engine).toBe("redis");
        return readers["event-source"] === 1 && store.reconnects >= 1;
      });
    }
  });

  test("cuts, a host and a Redis that are killed, and a partition lose nothing", { ...NEEDS, timeout: 240_000 }, async () => {
    const seed = announcedSeed();
    onTestFailed(() => console.log(`failed with TIDEWIRE_SEED=${seed}`));
    const proxies = await Promise.all(hosts.map(({ port }) => Proxy.start(port)));
    onTestFinished(() => Promise.all(proxies.map((proxy) => proxy.stop())).then(() => {}));
    const storm = new Storm(
      hosts[0].url,
      proxies.map(({ url }) => url),
      randomFrom(seed),
    );
    await storm.progress(100);
    for (const proxy of proxies) proxy.cut();
    await storm.progress(100);
    await hosts[1].kill9();
    await storm.progress(50);
    await hosts[1].restart();
    await storm.progress(100);
    await redis.kill9();
    await redis.restart();
    await storm.progress(100);
    way.partition();
    await delay(PARTITION_MS);
    way.heal();
    await storm.progress(100);
    await storm.settle();
    console.log(`two hosts: ${storm}`);
  });

  test("after a failover that lost events no offset is given twice, and only a reader that saw them gets a gap", { ...NEEDS, timeout: 120_000 }, async () => {
    const [primary, replica] = [await Redis.start(join(folder, "primary"), "--repl-diskless-sync-delay", "0"), await Redis.start(join(folder, "replica"), "--repl-diskless-sync-delay", "0")];
    const between = await Proxy.start(primary.port);
    const address = await Proxy.start(primary.port);
    const host = await Server.start({ name: "failover", store: `redis://127.0.0.1:${address.port}`, vars: { ...COMMON, HEARTBEAT_MS: "1000" } });
    onTestFinished(async () => {
      for (const each of [host, address, between, primary, replica]) await each.stop();
    });
    replica.ask("REPLICAOF", "127.0.0.1", String(between.port));
    await eventually("the replica follows", () => replica.ask("INFO", "replication").includes("master_link_status:up"));

    const channel = `${host.url}/feed/${freshName()}`;
    const offsets = [await publish(channel, 1), await publish(channel, 2), await publish(channel, 3)];
    await eventually("the replica has them", () => replica.rows(/:m tail 3$/).length === 1);
    const live = read("sse", channel);
    onTestFinished(() => live.close());
    await eventually("it is live", () => live.events.length === 3);
    between.partition();
    const lost = [await publish(channel, "lost 4"), await publish(channel, "lost 5")];
    await eventually("it has seen what is lost", () => live.events.length === 5);

    await primary.kill9();
    replica.ask("REPLICAOF", "NO", "ONE");
    address.redirect(replica.port);
    const kept: string[] = [];
    await eventually("it takes events again", async () => {
      const answer = await fetch(channel, { method: "POST", headers: JSON_TYPE, body: '"kept"' });
      if (answer.status === 204) kept.push(header(answer, "stream-next-offset"));
      return kept.length > 0;
    });
    kept.push(await publish(channel, "kept 5"));

    // The live reader is ended, resumes from an offset that is lost, and gets what it has not seen.
    await eventually("it has the rest", () => live.events.length === 7);
    expect(live.gaps).toEqual([{ requested: lost[1], earliest: expect.stringMatching(/03$/) as string }]);
    expect(live.events.slice(5)).toEqual(["kept", "kept 5"]);
    // Others miss nothing.
    for (const [index, offset] of offsets.entries()) {
      const other = read("sse", channel, offset);
      onTestFinished(() => other.close());
      await eventually("it has all", () => other.events.length === 4 - index);
      expect([other.events, other.gaps]).toEqual([[2, 3, "kept", "kept 5"].slice(index), []]);
    }
    expect((await fetch(`${channel}?offset=${lost[1]}`)).status).toBe(410);
    expect(kept.filter((offset) => lost.includes(offset))).toEqual([]);
  });

  test("after FLUSHALL a reader gets a gap and what is published anew, and no offset is given twice", NEEDS, async () => {
    const redis = await Redis.start(join(folder, "flushed"));
    const host = await Server.start({ name: "flushed", store: redis.url, vars: { ...COMMON, HEARTBEAT_MS: "1000" } });
    onTestFinished(async () => {
      for (const each of [host, redis]) await each.stop();
    });
    const channel = `${host.url}/feed/${freshName()}`;
    const lost = [await publish(channel, 1), await publish(channel, 2)];
    const live = read("sse", channel);
    onTestFinished(() => live.close());
    await eventually("it is live", () => live.events.length === 2);
    redis.ask("FLUSHALL");
    const kept = [await publish(channel, "new 1"), await publish(channel, "new 2")];
    await eventually("it has what is new", () => live.events.length === 4);
    expect([live.events, live.gaps.map(({ requested }) => requested)]).toEqual([[1, 2, "new 1", "new 2"], [lost[1]]]);
    expect((await fetch(`${channel}?offset=${lost[1]}`)).status).toBe(410);
    expect(kept.filter((offset) => lost.includes(offset))).toEqual([]);
  });

  test("a publish that too few replicas have is 503, and counts once they have it", NEEDS, async () => {
    const [primary, replica] = [await Redis.start(join(folder, "first"), "--repl-diskless-sync-delay", "0"), await Redis.start(join(folder, "second"))];
    const between = await Proxy.start(primary.port);
    const host = await Server.start({ name: "replicas", store: primary.url, vars: { ...COMMON, STORE_REPLICAS: "1" } });
    onTestFinished(async () => {
      for (const each of [host, between, primary, replica]) await each.stop();
    });
    replica.ask("REPLICAOF", "127.0.0.1", String(between.port));
    await eventually("the replica follows", () => replica.ask("INFO", "replication").includes("master_link_status:up"));
    const channel = `${host.url}/feed/${freshName()}`;
    const send = async (seq: number) => {
      const headers = { ...JSON_TYPE, "producer-id": "p", "producer-epoch": "0", "producer-seq": String(seq) };
      return (await fetch(channel, { method: "POST", headers, body: String(seq) })).status;
    };
    expect(await send(0)).toBe(200);
    between.partition();
    expect(await send(1)).toBe(503);
    between.heal();
    await eventually("the replica follows again", () => replica.rows(/:m tail 2$/).length === 1);
    expect(await send(1), "stored before").toBe(204);
    expect(await (await fetch(channel)).json()).toEqual([0, 1]);
  });

  test(`${READERS} readers of as many channels cost one question a tick and instance, and two a second at rest`, NEEDS, async () => {
    const names = numbers(1, READERS).map(() => freshName());
    const leaving = new AbortController();
    onTestFinished(() => leaving.abort());
    // Not all in one moment: Spin starts an instance whenever all it has are busy.
    for (let first = 0; first < READERS; first += ARRIVING) {
      const answers = names.slice(first, first + ARRIVING).map((name) => fetch(`${hosts[0].url}/feed/${name}`, { headers: { accept: "text/event-stream" }, signal: leaving.signal }));
      for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
    }

    // An event in another channel at each tick, so that no instance rests.
    const [busy, ended] = [commands(), performance.now() + BUSY_S * 1_000];
    let published = 0;
    for (; performance.now() < ended; published += 1) {
      await Promise.all([publish(`${hosts[1].url}/feed/${names[(published * 97) % READERS]}`, published), delay(1_000 / TICKS_S)]);
    }
    const after = commands();
    const [questions, looks] = [after.mget - busy.mget, after.evalsha - busy.evalsha];
    const seconds = BUSY_S + (performance.now() - ended) / 1_000;

    // Until everything rests.
    await delay(7_000);
    const before = total(commands());
    await delay(REST_S * 1_000);
    const sent = total(commands()) - before;
    // Each instance that is alive has one connection; it may have had a tick more.
    const instances = redis.ask("CLIENT", "LIST").split("\n").filter((client) => /cmd=(mget|evalsha)/.test(client)).length;
    console.log(
      `${READERS} readers in ${instances} instances: ${published} events in ${seconds.toFixed(1)} s cost ${questions} questions and ${looks} calls of the script; at rest ${sent} commands in ${REST_S} s`,
    );
    expect(questions).toBeGreaterThan((sent / REST_S) * BUSY_S);
    expect(questions).toBeLessThanOrEqual((TICKS_S * seconds + 1) * instances);
    // A publish looks and commits; the instance of its reader looks, and the reader reads its new channel.
    expect(looks).toBeLessThanOrEqual(6 * published);
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual((2 * REST_S + 1) * instances);
  });

  /** How often the functions have sent each command to Redis. */
  function commands(): { mget: number; evalsha: number } {
    const stats = redis.ask("INFO", "commandstats");
    const calls = (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    return { mget: calls("mget"), evalsha: calls("evalsha") };
  }

  const total = ({ mget, evalsha }: { mget: number; evalsha: number }) => mget + evalsha;
});
