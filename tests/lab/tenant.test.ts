// Erasure of a tenant: all its channels, and nothing of anyone else's.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { read } from "../harness/readers.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, publish, publishAll, useOwnServer } from "../harness/suite.ts";

const JSON_TYPE = { "content-type": "application/json" };
/** More than one request erases. */
const CHANNELS = 110;

describeOwnServer("a tenant", () => {
  const server = useOwnServer("tenant");

  /** Rows of all tables in which a text occurs, also within events. */
  const rowsWith = (text: string) => server.rows(new RegExp(text));

  /** Repeats the request until nothing is left, and returns the number of requests. */
  async function erase(base: string, tenant: string): Promise<number> {
    let requests = 0;
    for (;;) {
      const answer = await fetch(`${base}/-/tenant/${tenant}`, { method: "DELETE" });
      requests++;
      if (answer.status === 204) return requests;
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([202, "1"]);
    }
  }

  /** Reads seldom, since a reader of the database blocks its owner. */
  async function isGone(text: string): Promise<void> {
    await eventually("nothing is left", async () => {
      await delay(300);
      return rowsWith(text).length === 0;
    });
  }

  test("is erased whole, with its readers, and nobody else is", async () => {
    const tenant = freshName();
    const feed = `${server.url}/feed`;
    const secret = `secret-${tenant}`;
    const others = [`${tenant}`, `${tenant}2:a`, `a:${tenant}`];
    for (const other of others) await publish(`${feed}/${other}`, `kept-${other}`);
    for (let first = 0; first < CHANNELS; first += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, index) => publishAll(`${feed}/${tenant}:${first + index}`, [secret, first])));
    }
    const producer = { ...JSON_TYPE, "producer-id": `producer-${secret}`, "producer-epoch": "0", "producer-seq": "0" };
    expect((await fetch(`${feed}/${tenant}:0`, { method: "POST", headers: producer, body: "1" })).status).toBe(200);
    await publish(`${server.url}/status/${tenant}:0`, { of: `another function-${tenant}` });
    const reader = read("sse", `${feed}/${tenant}:0`);
    await eventually("it reads", () => reader.events.length === 3);
    expect(rowsWith(secret).length).toBeGreaterThanOrEqual(CHANNELS + 1);

    expect(await erase(feed, tenant)).toBeGreaterThan(1);
    await isGone(secret);
    expect(await (await fetch(`${feed}/${tenant}:0`)).text()).toBe("[]");
    for (const other of others) expect(await (await fetch(`${feed}/${other}`)).json()).toEqual([`kept-${other}`]);
    expect(((await (await fetch(`${server.url}/status/${tenant}:0`)).json()) as unknown[]).length).toBe(1);
    // The reader reconnects, to a channel that begins again.
    await publish(`${feed}/${tenant}:0`, `anew-${tenant}`);
    await eventually("it reads on", () => reader.events.includes(`anew-${tenant}`));
    reader.close();

    expect(await erase(feed, tenant)).toBe(1);
    await isGone(`anew-${tenant}`);
    expect(await erase(feed, tenant)).toBe(1);
  });

  test("has the channels that were made over a WebSocket", { tags: ["websocket"] }, async () => {
    const tenant = freshName();
    const socket = await Socket.open(`${server.url}/feed/${tenant}:made`);
    await socket.first("hello");
    socket.send({ type: "publish", id: "1", data: `secret-${tenant}` });
    await socket.first("ack");
    const idle = await Socket.open(`${server.url}/feed/${tenant}:idle`);
    await idle.first("hello");
    expect(await erase(`${server.url}/feed`, tenant)).toBe(1);
    // One that might still publish would make what nobody knows of.
    expect([await socket.closed(), await idle.closed()]).toEqual([3010, 3010]);
    await isGone(`secret-${tenant}`);
  });

  test("is erased while its channels are written to, and once more after that", async () => {
    const tenant = freshName();
    const feed = `${server.url}/feed`;
    let isOver = false;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let number = 0; !isOver; number++) await publish(`${feed}/${tenant}:${writer}-${number % 3}`, `secret-${tenant}`);
    });
    for (let times = 0; times < 4; times++) await erase(feed, tenant);
    isOver = true;
    await Promise.all(writers);
    await erase(feed, tenant);
    await isGone(tenant);
  });

  test("is not a channel", async () => {
    const tenant = freshName();
    expect((await fetch(`${server.url}/feed/${tenant}:`)).status).toBe(400);
    expect((await fetch(`${server.url}/feed/-/tenant/${tenant}`)).status).toBe(405);
    expect((await fetch(`${server.url}/feed/-/tenant/${tenant}:a`, { method: "DELETE" })).status).toBe(400);
  });
});

describeOwnServer("a tenant where access is closed", () => {
  const server = useOwnServer("tenant-closed", { OPEN_ACCESS: "false" });

  test("is erased by nobody without the right", async () => {
    const answer = await fetch(`${server.url}/feed/-/tenant/team`, { method: "DELETE" });
    expect(answer.status).toBe(401);
  });
});
