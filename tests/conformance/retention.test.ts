// The past can be gone: a reader whose events were dropped, or whose channel was made anew, is told so on each transport.

import { EventSource } from "eventsource";
import { createParser } from "eventsource-parser";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { shiftClock } from "../harness/host.ts";
import { read, TRANSPORTS, type Gap } from "../harness/readers.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, header, head, numbers, publish, publishAll, useOwnServer } from "../harness/suite.ts";

const KEPT = 50;
const DAY_MS = 86_400_000;

describeOwnServer("retention", () => {
  const server = useOwnServer("retention", { RETENTION_MAX_EVENTS: String(KEPT) });

  /** A channel that held 1..100 and keeps 51..100, the offset after event 10, and the one to go on from. */
  async function channelWithPast(): Promise<{ channel: string; gone: string; earliest: string }> {
    const channel = `${server.url}/feed/${freshName()}`;
    const gone = await publishAll(channel, numbers(1, 10));
    const earliest = await publishAll(channel, numbers(11, 50));
    await publishAll(channel, numbers(51, 100));
    return { channel, gone, earliest };
  }

  test("no more than the limit is kept", async () => {
    const { channel } = await channelWithPast();
    expect(await (await fetch(channel)).json()).toEqual(numbers(51, 100));
  });

  test.each(["", "&live=long-poll"])("GET%s answers 410 and names the earliest offset", async (live) => {
    const { channel, gone, earliest } = await channelWithPast();
    const answer = await fetch(`${channel}?offset=${gone}${live}`);
    expect(answer.status).toBe(410);
    expect(header(answer, "content-type")).toMatch(/^application\/problem\+json/);
    expect(await answer.json()).toMatchObject({ type: "urn:tidewire:offset-gone", status: 410, earliest });
    expect(await (await fetch(`${channel}?offset=${earliest}${live}`)).json()).toEqual(numbers(51, 100));
  });

  test("an EventSource opens, gets one gap event whose id is the earliest offset, and goes on from there", async () => {
    const { channel, gone, earliest } = await channelWithPast();
    const source = new EventSource(`${channel}?offset=${gone}`);
    onTestFinished(() => source.close());
    const order: unknown[] = [];
    source.addEventListener("gap", ({ data, lastEventId }) => order.push([JSON.parse(data as string), lastEventId]));
    source.addEventListener("message", ({ data }) => order.push(JSON.parse(data as string)));
    await eventually("all is there", () => order.length >= KEPT + 1);
    expect(order).toEqual([[{ requested: gone, earliest }, earliest], ...numbers(51, 100)]);
  });

  test("live=sse opens, sends one control event with streamGap, and goes on from the earliest", async () => {
    const { channel, gone } = await channelWithPast();
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const answer = await fetch(`${channel}?offset=${gone}&live=sse`, { signal: abort.signal });
    expect(answer.status).toBe(200);
    const controls: Record<string, unknown>[] = [];
    const data: unknown[] = [];
    const order: string[] = [];
    const parser = createParser({
      onEvent(event) {
        order.push(event.event ?? "message");
        if (event.event === "control") controls.push(JSON.parse(event.data) as Record<string, unknown>);
        if (event.event === "data") data.push(...(JSON.parse(event.data) as unknown[]));
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body!) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      if (controls.some((control) => control["upToDate"])) break;
    }
    expect(order[0]).toBe("control");
    expect(controls.filter((control) => control["streamGap"])).toEqual([controls[0]]);
    expect(data).toEqual(numbers(51, 100));
  });

  test("a WebSocket opens, gets one gap frame, and goes on from the earliest", { tags: ["websocket"] }, async () => {
    const { channel, gone, earliest } = await channelWithPast();
    const socket = await Socket.open(channel, { offset: gone });
    await socket.hasEvents(KEPT);
    expect(socket.frames[0]).toMatchObject({ type: "hello", offset: earliest });
    expect(socket.all("gap")).toEqual([{ type: "gap", requested: gone, earliest }]);
    expect(socket.frames.findIndex(({ type }) => type === "gap")).toBeLessThan(socket.frames.findIndex(({ type }) => type === "events"));
    expect(socket.events).toEqual(numbers(51, 100));
  });

  test.each(TRANSPORTS)("%s: reading from -1 is no gap", async (transport) => {
    const { channel } = await channelWithPast();
    const reader = read(transport, channel, "-1");
    onTestFinished(() => reader.close());
    await eventually("all is there", () => reader.events.length >= KEPT);
    expect(reader.events).toEqual(numbers(51, 100));
    expect(reader.gaps).toEqual([]);
  });

  test.each(TRANSPORTS)("%s: who came before there was a channel is told what was dropped since", async (transport) => {
    const channel = `${server.url}/feed/${freshName()}`;
    const none = header(await fetch(`${channel}?offset=now`), "stream-next-offset");
    await publishAll(channel, numbers(1, 50));
    const inTime = read(transport, channel, none);
    onTestFinished(() => inTime.close());
    await eventually("all is there", () => inTime.events.length >= KEPT);
    expect([inTime.events, inTime.gaps]).toEqual([numbers(1, 50), []]);
    inTime.close();
    const earliest = await publishAll(channel, numbers(51, 60));
    await publishAll(channel, numbers(61, 110));
    const late = read(transport, channel, none);
    onTestFinished(() => late.close());
    await eventually("all is there", () => late.events.length >= KEPT);
    expect(late.events).toEqual(numbers(61, 110));
    expect(late.gaps).toEqual([{ requested: none, earliest }]);
  });

  test.each(TRANSPORTS)("%s: the offset just before the earliest event is no gap", async (transport) => {
    const { channel, earliest } = await channelWithPast();
    const reader = read(transport, channel, earliest);
    onTestFinished(() => reader.close());
    await eventually("all is there", () => reader.events.length >= KEPT);
    expect(reader.events).toEqual(numbers(51, 100));
    expect(reader.gaps).toEqual([]);
  });

  test.each(TRANSPORTS)("%s: an offset of a channel that was deleted and made anew is stale", async (transport) => {
    const channel = `${server.url}/feed/${freshName()}`;
    const old = await publishAll(channel, numbers(1, 3));
    expect((await fetch(channel, { method: "DELETE" })).status).toBe(204);
    // More than before, so that the old position would exist in the new channel too.
    await publishAll(channel, numbers(11, 20));
    const reader = read(transport, channel, old);
    onTestFinished(() => reader.close());
    await eventually("all is there", () => reader.events.length >= 10);
    expect(reader.events).toEqual(numbers(11, 20));
    expect(reader.gaps.map(({ requested }: Gap) => requested)).toEqual([old]);
  });

  test("a recreated channel never takes an offset of the old one for its own", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const old = await publish(channel, 1);
    await fetch(channel, { method: "DELETE" });
    await publish(channel, 1);
    expect(await head(channel)).not.toBe(old);
  });

  test("events above the age limit are gone at the next read", { tags: ["host-counters"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    onTestFinished(() => shiftClock(server, 0));
    const gone = await publish(channel, 1);
    const earliest = await publish(channel, 2);
    await shiftClock(server, 6 * DAY_MS);
    expect(await (await fetch(channel)).json()).toEqual([1, 2]);
    await publish(channel, 3);
    await publish(channel, 4);
    await shiftClock(server, 8 * DAY_MS);
    expect(await (await fetch(channel)).json()).toEqual([3, 4]);
    const answer = await fetch(`${channel}?offset=${gone}`);
    expect(answer.status).toBe(410);
    expect(await answer.json()).toMatchObject({ earliest });
  });

  test("a channel made anew while the clock goes backwards never takes an old offset for its own", { tags: ["host-counters"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    onTestFinished(() => shiftClock(server, 0));
    const old = await publishAll(channel, numbers(1, 3));
    await fetch(channel, { method: "DELETE" });
    await shiftClock(server, -DAY_MS);
    expect(await publishAll(channel, numbers(11, 20)) > old, "offsets rise").toBe(true);
    expect((await fetch(`${channel}?offset=${old}`)).status).toBe(410);
  });

  test("a reader that stays connected is told nothing: it misses nothing", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const readers = TRANSPORTS.filter((transport) => transport === "websocket" || transport === "sse").map((transport) => read(transport, channel));
    onTestFinished(() => readers.forEach((reader) => reader.close()));
    for (const start of [1, 41, 81, 121]) {
      await publishAll(channel, numbers(start, start + 39));
      for (const reader of readers) await eventually(`${reader.transport} has them`, () => reader.events.length >= start + 39);
    }
    for (const { events, gaps } of readers) expect([events, gaps]).toEqual([numbers(1, 160), []]);
  });
});
