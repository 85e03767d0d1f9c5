// Natural sleep: a quiet channel with many readers lets its Durable Object go out of memory, and the next publish reaches all.

import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { read, webSocketUrl } from "../harness/readers.ts";
import { describeOwnServer, freshName, publish, useOwnServer } from "../harness/suite.ts";

const READERS = 100;
const POLLS = 20;
const SILENCE_MS = 30_000;

describeOwnServer("sleep", () => {
  const server = useOwnServer("sleep", { HEARTBEAT_MS: "2000", LONG_POLL_MS: "60000" });

  test(`${READERS} SSE readers, ${POLLS} long polls and ${READERS} WebSockets that ping let the channel sleep, and the next publish reaches all`, { timeout: 120_000, tags: ["durable-objects"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    await publish(channel, "before");

    const streams = Array.from({ length: READERS }, () => read("sse", channel));
    const polls = Array.from({ length: POLLS }, () => read("long-poll", channel));
    onTestFinished(() => [...streams, ...polls].forEach((reader) => reader.close()));
    const sockets = Array.from({ length: READERS }, () => new WebSocket(webSocketUrl(channel), "tidewire.v1"));
    let pongs = 0;
    const received = sockets.map((): unknown[] => []);
    sockets.forEach((socket, index) =>
      socket.addEventListener("message", ({ data }) => {
        if (data === "pong") {
          pongs += 1;
          return;
        }
        const frame = JSON.parse(data as string) as { type: string; events: { data: unknown }[] };
        if (frame.type === "events") received[index]!.push(...frame.events.map((event) => event.data));
      }),
    );
    onTestFinished(() => sockets.forEach((socket) => socket.close()));
    const everyoneHas = (count: number) =>
      received.every((events) => events.length >= count) && [...streams, ...polls].every(({ events }) => events.length >= count);
    await eventually("everyone has the first event", () => everyoneHas(1));
    expect(server.wakes("FeedChannel")).toBe(1);

    const pinging = setInterval(() => sockets.forEach((socket) => socket.send("ping")), 2_000);
    onTestFinished(() => clearInterval(pinging));
    // The silence itself is what is tested: the runtime lets an object sleep after some ten seconds without work.
    await delay(SILENCE_MS);
    expect(pongs).toBeGreaterThan(READERS * 5);
    for (const { heartbeats } of streams) expect(heartbeats).toBeGreaterThan(5);
    expect(server.wakes("FeedChannel"), "pings and heartbeats wake nobody").toBe(1);

    await publish(channel, "after");
    await eventually("everyone has the second event", () => everyoneHas(2));
    expect([...received, ...[...streams, ...polls].map(({ events }) => events)]).toEqual(
      Array.from({ length: 2 * READERS + POLLS }, () => ["before", "after"]),
    );
    await eventually("the constructor ran again", () => server.wakes("FeedChannel") === 2);
    // On the connections that were there before: nobody came back.
    expect(streams.map(({ requests }) => requests)).toEqual(streams.map(() => 1));
    expect(sockets.map(({ readyState }) => readyState)).toEqual(sockets.map(() => WebSocket.OPEN));
  });
});
