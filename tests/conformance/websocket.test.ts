// `tidewire.v1` frame by frame, and catch-up in pages while others publish.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { read, TRANSPORTS } from "../harness/readers.ts";
import { Socket } from "../harness/socket.ts";
import { ABSENT, freshName, numbers, publish, publishAll, useServer } from "../harness/suite.ts";

const server = useServer();
const freshChannel = () => `${server.url}/feed/${freshName()}`;

/** The answer to an upgrade, seen without a WebSocket client. */
async function handshake(channel: string, headers: Record<string, string>): Promise<IncomingMessage> {
  const upgrade = request(channel, {
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      ...headers,
    },
  });
  upgrade.end();
  const [answer, socket] = (await once(upgrade, "upgrade")) as [IncomingMessage, import("node:net").Socket];
  socket.destroy();
  return answer;
}

describe("tidewire.v1", { tags: ["websocket"] }, () => {
  test("begins with hello, then sends the history, then says that nothing newer exists", async () => {
    const channel = freshChannel();
    await publishAll(channel, [{ a: 1 }, "two", null, [3]]);
    const socket = await Socket.open(channel);
    await eventually("up to date", () => socket.all("events").some(({ upToDate }) => upToDate));
    expect(socket.frames[0]).toEqual({
      type: "hello",
      protocol: "tidewire.v1",
      offset: expect.any(String),
      contentType: "application/json",
      ackBytes: expect.any(Number),
    });
    expect(socket.events).toEqual([{ a: 1 }, "two", null, [3]]);
    expect(socket.all("events").at(-1)!.upToDate).toBe(true);
    const { offset } = await socket.first("hello");
    expect(await (await fetch(`${channel}?offset=${offset}`)).json()).toEqual(socket.events);
  });

  test("says that nothing newer exists when there is nothing at all", async () => {
    const socket = await Socket.open(freshChannel());
    expect(await socket.first("hello")).toMatchObject({ offset: ABSENT, contentType: "application/json" });
    expect(await socket.first("events")).toEqual({ type: "events", events: [], upToDate: true });
  });

  test("delivers live events with the offsets that their publishers got", async () => {
    const channel = freshChannel();
    const socket = await Socket.open(channel);
    await socket.first("events");
    const offsets = [await publish(channel, 1), await publish(channel, 2), await publish(channel, 3)];
    await socket.hasEvents(3);
    expect(socket.all("events").flatMap(({ events }) => events)).toEqual(
      offsets.map((offset, index) => ({ offset, data: index + 1 })),
    );
  });

  test.each([
    { asked: 4321, seen: 4321 },
    { asked: 1000, seen: 1000 },
    { asked: undefined, seen: 1000 },
  ])("answers a client that closes with $asked at once", async ({ asked, seen }) => {
    for (const url of [freshChannel(), `${server.url}/-/naive/demo-plug-${randomBytes(4).toString("hex")}`]) {
      // The naive room knows no subprotocol.
      const isNaive = url.includes("naive");
      const socket = await Socket.open(url, {}, isNaive ? [] : undefined);
      // Node's client inflates frames in the background: if the connection ends meanwhile, it reports 1006 although it got the close frame.
      if (!isNaive) await socket.first("events");
      const before = performance.now();
      socket.raw.close(asked);
      expect(await socket.closed(), url).toBe(seen);
      expect(performance.now() - before, url).toBeLessThan(1_000);
    }
  });

  test("is closed at once when the server says so", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    const socket = await Socket.open(channel);
    // The frames reach everyone at once; but workerd ends the connection of a client that never said anything only when its object sleeps, 10 s later.
    socket.send("ping");
    await socket.hasEvents(1);
    await eventually("it was answered", () => socket.texts.includes("pong"));
    const refused = await Socket.open(`${server.url}/feed/a%20b`);
    expect(await refused.closed()).toBe(3501);
    const before = performance.now();
    expect((await fetch(channel, { method: "DELETE" })).status).toBe(204);
    expect(await socket.closed()).toBe(3010);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  test("carries out nothing that follows a bad frame", async () => {
    const channel = freshChannel();
    await publish(channel, "before");
    const socket = await Socket.open(channel);
    await socket.hasEvents(1);
    const before = performance.now();
    socket.send("no frame");
    for (const id of ["1", "2", "3"]) socket.send({ type: "publish", id, data: "after" });
    expect(await socket.closed()).toBe(3501);
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(socket.all("ack")).toEqual([]);
    // The channel has had its turn with them by now.
    await publish(channel, "of another");
    expect(await (await fetch(channel)).json()).toEqual(["before", "of another"]);
  });

  test("resumes after an offset", async () => {
    const channel = freshChannel();
    await publishAll(channel, numbers(1, 3));
    const middle = await publishAll(channel, numbers(4, 5));
    await publishAll(channel, numbers(6, 8));
    for (const query of [{ offset: middle }, { last_event_id: middle, offset: "-1" }] as Record<string, string>[]) {
      const socket = await Socket.open(channel, query);
      await socket.hasEvents(3);
      expect(socket.frames[0]).toMatchObject({ type: "hello", offset: middle });
      expect(socket.events).toEqual([6, 7, 8]);
    }
  });

  test("begins at the tail with now", async () => {
    const channel = freshChannel();
    const tail = await publishAll(channel, numbers(1, 3));
    const socket = await Socket.open(channel, { offset: "now" });
    expect(await socket.first("hello")).toMatchObject({ offset: tail });
    await socket.first("events");
    await publish(channel, 4);
    await socket.hasEvents(1);
    expect(socket.events).toEqual([4]);
  });

  test("acknowledges a publish with the offset at which it is read", async () => {
    const socket = await Socket.open(freshChannel());
    await socket.first("events");
    socket.send({ type: "publish", id: "first", data: { text: "hello" } });
    const ack = await socket.first("ack");
    await socket.hasEvents(1);
    const [event] = socket.all("events").flatMap(({ events }) => events);
    expect(event).toEqual({ offset: ack.offset, data: { text: "hello" } });
    expect(ack).toEqual({ type: "ack", id: "first", offset: event!.offset });
  });

  test.each([null, false, 0, "", " lead and trail ", [], [1, [2]], {}, { "": "" }, "\u0000\r\n\u2028\u{1f30a}", 1e21, 0.1])(
    "carries the JSON value %j unchanged",
    async (data) => {
      const channel = freshChannel();
      const socket = await Socket.open(channel);
      socket.send({ type: "publish", id: "1", data });
      await socket.first("ack");
      await socket.hasEvents(1);
      expect(socket.events).toEqual([data]);
      expect(await (await fetch(channel)).json()).toEqual([data]);
    },
  );

  test("takes an id of 64 bytes, and the same id twice as two publishes", async () => {
    const socket = await Socket.open(freshChannel());
    const id = "i".repeat(64);
    socket.send({ type: "publish", id, data: 1 });
    socket.send({ type: "publish", id, data: 2 });
    await eventually("two acks", () => socket.all("ack").length === 2);
    await socket.hasEvents(2);
    expect(socket.events).toEqual([1, 2]);
  });

  test("keeps the order of each of several publishers and shows all the same order to all", async () => {
    const channel = freshChannel();
    const publishers = await Promise.all(numbers(1, 5).map(() => Socket.open(channel)));
    for (const count of numbers(1, 40)) {
      publishers.forEach((socket, who) => socket.send({ type: "publish", id: `${who}-${count}`, data: [who, count] }));
    }
    await Promise.all(publishers.map((socket) => socket.hasEvents(200)));
    for (const [who, socket] of publishers.entries()) {
      await eventually("forty acks", () => socket.all("ack").length === 40);
      expect(socket.all("ack").map(({ id }) => id)).toEqual(numbers(1, 40).map((count) => `${who}-${count}`));
      const events = socket.all("events").flatMap((frame) => frame.events);
      expect(events).toEqual(publishers[0]!.all("events").flatMap((frame) => frame.events));
      const own = events.filter(({ data }) => (data as number[])[0] === who);
      expect(own.map(({ data }) => (data as number[])[1])).toEqual(numbers(1, 40));
      expect(own.map(({ offset }) => offset)).toEqual(socket.all("ack").map(({ offset }) => offset));
    }
  });

  test("answers ping with pong", async () => {
    const socket = await Socket.open(freshChannel());
    await socket.first("events");
    socket.send("ping");
    await eventually("a pong", () => socket.texts.length === 1);
    expect(socket.all("error")).toEqual([]);
  });

  test("echoes its subprotocol only when it was offered", async () => {
    const channel = freshChannel();
    const offered = async (protocols?: string) =>
      (await handshake(channel, protocols ? { "Sec-WebSocket-Protocol": protocols } : {})).headers["sec-websocket-protocol"];
    expect(await offered("tidewire.v1")).toBe("tidewire.v1");
    expect(await offered("chat, tidewire.v1")).toBe("tidewire.v1");
    expect(await offered("chat,tidewire.v1")).toBe("tidewire.v1");
    expect(await offered("chat")).toBeUndefined();
    expect(await offered()).toBeUndefined();
  });

  test("sends the same frames to a client that offers no subprotocol", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    const socket = await Socket.open(channel, {}, []);
    expect(socket.raw.protocol).toBe("");
    await socket.hasEvents(1);
    expect(socket.frames[0]).toMatchObject({ type: "hello", protocol: "tidewire.v1" });
  });

  test("stores a producer's publish that is sent again once, over WebSocket and HTTP alike", async () => {
    const channel = freshChannel();
    const socket = await Socket.open(channel);
    const send = (id: string, data: unknown, seq: number, epoch = 0) => socket.send({ type: "publish", id, data, producer: { id: "p", epoch, seq } });
    send("a", 1, 0);
    send("b", 2, 1);
    send("a again", 1, 0);
    await eventually("three acks", () => socket.all("ack").length === 3);
    const [first, second, again] = socket.all("ack");
    expect(first!.offset < second!.offset).toBe(true);
    expect(again).toEqual({ type: "ack", id: "a again", offset: second!.offset });
    const post = (seq: number, data: unknown) =>
      fetch(channel, {
        method: "POST",
        headers: { "content-type": "application/json", "producer-id": "p", "producer-epoch": "0", "producer-seq": String(seq) },
        body: JSON.stringify(data),
      });
    expect((await post(1, 2)).status, "stored before").toBe(204);
    expect((await post(2, 3)).status).toBe(200);
    send("c", 3, 2);
    await eventually("a fourth ack", () => socket.all("ack").length === 4);
    expect(await (await fetch(channel)).json()).toEqual([1, 2, 3]);
  });

  test("answers a producer with the expected number or the newer epoch, and continues", async () => {
    const channel = freshChannel();
    const socket = await Socket.open(channel);
    const send = (id: string, data: unknown, epoch: number, seq: number) => socket.send({ type: "publish", id, data, producer: { id: "p", epoch, seq } });
    send("early", 1, 0, 5);
    send("first", 1, 0, 0);
    send("too large", "x".repeat(70_000), 0, 1);
    send("the same number", 2, 0, 1);
    send("restarted", 3, 1, 0);
    send("left behind", 4, 0, 2);
    await eventually("all are answered", () => socket.all("ack").length === 3 && socket.all("error").length === 3);
    expect(socket.all("error")).toMatchObject([
      { id: "early", code: "producer-gap", status: 409, expectedSeq: 0 },
      { id: "too large", code: "event-too-large" },
      { id: "left behind", code: "producer-fenced", status: 403, epoch: 1 },
    ]);
    expect(await (await fetch(channel)).json()).toEqual([1, 2, 3]);
  });

  test("has its reader reconnect when the channel is deleted", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    const socket = await Socket.open(channel);
    await socket.hasEvents(1);
    await fetch(channel, { method: "DELETE" });
    expect(await socket.closed()).toBe(3010);
  });
});

describe("catch-up", () => {
  test.each(TRANSPORTS)("by %s reads 5,000 events in pages while others publish, and loses and doubles none", async (transport) => {
    const channel = freshChannel();
    for (const page of numbers(0, 4)) await publishAll(channel, numbers(page * 1000 + 1, page * 1000 + 1000));
    const reader = read(transport, channel);
    onTestFinished(() => reader.close());
    // Each publish waits for its answer, so they spread over the whole catch-up and the change to live.
    let last = 5_000;
    do {
      last += 1;
      await publish(channel, last);
    } while (reader.events.length < last - 1 || last < 5_100);
    await eventually("the tail", () => reader.events.length >= last);
    expect(reader.events).toEqual(numbers(1, last));
    expect(reader.gaps).toEqual([]);
  });

  test("comes in several frames, each with only a part", { tags: ["websocket"] }, async () => {
    const channel = freshChannel();
    for (const page of numbers(0, 2)) await publishAll(channel, numbers(page * 1000 + 1, page * 1000 + 1000));
    const socket = await Socket.open(channel);
    await socket.hasEvents(3_000);
    const pages = socket.all("events");
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.findIndex(({ upToDate }) => upToDate)).toBe(pages.length - 1);
  });
});
