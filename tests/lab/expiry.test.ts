// Channels that end, by DELETE or by themselves: nothing of them stays in the store, and their readers are ended.

import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { recycle } from "../harness/host.ts";
import { offers, PLATFORM } from "../harness/platform.ts";
import { read, TRANSPORTS } from "../harness/readers.ts";
import { alarms, contents, inStore, storeFiles } from "../harness/store.ts";
import { describeOwnServer, freshName, header, numbers, publish, publishAll, useOwnServer } from "../harness/suite.ts";

const JSON_TYPE = { "content-type": "application/json" };

describeOwnServer("expiry", () => {
  const server = useOwnServer("expiry");

  const create = (channel: string, headers: Record<string, string>, batch: unknown[] = []) =>
    fetch(channel, { method: "PUT", headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(batch) });

  const status = async (channel: string) => (await fetch(channel, { method: "HEAD" })).status;

  /** Rows of all tables but Spin's one, which keeps the newest epoch of what is gone; with Redis all keys but such. */
  const rows = (): unknown[] =>
    server.redis?.rows(/^tw:\{0\}:(?!epoch |schema )/) ??
    storeFiles(server).flatMap((file) => {
      const { store, ...others } = inStore(file, contents);
      return Object.values(others).flat();
    });

  /** Waits for the store to be empty. It reads seldom, since a reader of the database blocks its owner. */
  async function isEmpty(sweep: () => Promise<void> = async () => {}): Promise<void> {
    await eventually("the store is empty", async () => {
      await delay(300);
      await sweep();
      return rows().length === 0 && alarms(server) === 0;
    });
  }

  /** Everything that a channel can leave behind. */
  async function fill(channel: string): Promise<void> {
    for (const batch of [0, 1]) await publishAll(channel, numbers(batch * 1_000 + 1, batch * 1_000 + 1_000));
    const producer = { "producer-id": "p", "producer-epoch": "0", "producer-seq": "0" };
    expect((await fetch(channel, { method: "POST", headers: { ...JSON_TYPE, ...producer }, body: "[2001]" })).status).toBe(200);
  }

  test("a channel that was deleted leaves no rows, no alarm and no storage", async () => {
    const channel = `${server.url}/v1/stream/${freshName()}`;
    expect((await create(channel, { "stream-ttl": "3600" })).status).toBe(201);
    await fill(channel);
    expect(rows().length).toBeGreaterThan(2_001);
    expect((await fetch(channel, { method: "DELETE" })).status).toBe(204);
    await isEmpty();
  });

  test("channels that expired leave no rows, no alarm and no storage", async () => {
    const sliding = `${server.url}/v1/stream/${freshName()}`;
    const fixed = `${server.url}/v1/stream/${freshName()}`;
    expect((await create(fixed, { "stream-expires-at": new Date(Date.now() + 1_000).toISOString() }, [1])).status).toBe(201);
    expect((await create(sliding, { "stream-ttl": "1" })).status).toBe(201);
    await fill(sliding);
    for (const channel of [sliding, fixed]) await eventually("it is gone", async () => (await status(channel)) === 404);
    await isEmpty(async () => {
      if (PLATFORM !== "spin") return;
      // There an append to any channel sweeps, once a minute in each instance. The real Spin ends an instance that
      // has rested for a second.
      await (offers("host-counters") ? recycle(server) : delay(1_500));
      const other = `${server.url}/feed/${freshName()}`;
      await publish(other, 1);
      await fetch(other, { method: "DELETE" });
    });
  });

  test("readers of a channel that expires are ended", async () => {
    const channel = `${server.url}/v1/stream/${freshName()}`;
    await create(channel, { "stream-ttl": "1" }, [1]);
    const readers = TRANSPORTS.filter((transport) => transport !== "poll").map((transport) => read(transport, channel));
    onTestFinished(() => readers.forEach((reader) => reader.close()));
    for (const reader of readers) await eventually("it is live", () => reader.events.length === 1);
    const ends = await Promise.all(readers.map(async ({ transport, ended }) => [transport, await ended]));
    expect(Object.fromEntries(ends)).toEqual(
      Object.fromEntries(readers.map(({ transport }) => [transport, transport === "websocket" ? "closed 3010" : "status 404"])),
    );
  });

  test("a channel made after one that expired is another, and stays when the alarm of the first rings", { timeout: 120_000 }, async () => {
    const channel = `${server.url}/v1/stream/${freshName()}`;
    const first = await create(channel, { "stream-expires-at": "2020-01-01T00:00:00Z" }, [1, 2, 3]);
    expect([first.status, await status(channel)]).toEqual([201, 404]);
    const second = await create(channel, {}, [4]);
    expect(second.status).toBe(201);
    expect((await fetch(`${channel}?offset=${header(first, "stream-next-offset")}`)).status).toBe(410);
    await eventually("no alarm is set", async () => {
      await delay(300);
      return alarms(server) === 0;
    });
    expect(await (await fetch(channel)).json()).toEqual([4]);
    await server.kill9();
    await server.restart();
    expect(await (await fetch(channel)).json()).toEqual([4]);
  });

  test("an end that was set is known after a restart", { timeout: 120_000 }, async () => {
    const channel = `${server.url}/v1/stream/${freshName()}`;
    const at = new Date(Date.now() + 3_000).toISOString();
    await create(channel, { "stream-expires-at": at }, [1]);
    await server.kill9();
    await server.restart();
    const answer = await fetch(channel, { method: "HEAD" });
    if (answer.status === 200) expect(Date.parse(header(answer, "stream-expires-at"))).toBe(Date.parse(at));
    await eventually("it is gone", async () => (await status(channel)) === 404);
  });
});
