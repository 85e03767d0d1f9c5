// The bytes under way to a WebSocket reader: a reader that acknowledges gets at most a window; for other readers nothing is counted.

import { describe, expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import type { ServerFrame } from "../harness/readers.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, numbers, publish, publishAll, useOwnServer } from "../harness/suite.ts";

const WINDOW = 40_000;
const STRIDE = 5_000;
/** About a thousand characters each. */
const events = (from: number, to: number) => numbers(from, to).map((number) => ({ number, text: "x".repeat(980) }));

describeOwnServer("the window", () => {
  const server = useOwnServer("window", { SOCKET_WINDOW_BYTES: String(WINDOW), SOCKET_ACK_BYTES: String(STRIDE), PAGE_MAX_EVENTS: "10" });
  const freshChannel = () => `${server.url}/feed/${freshName()}`;
  const numbersOf = (socket: Socket) => socket.events.map((data) => (data as { number: number }).number);
  const offsetOf = (socket: Socket) => socket.all("events").at(-1)!.events.at(-1)!.offset;

  /** A reader that acknowledges each frame of events. */
  async function openAcknowledging(channel: string): Promise<Socket> {
    const socket = await Socket.open(channel);
    const acknowledge = ({ type, events }: { type: string; events?: { offset: string }[] }) => {
      if (type === "events" && events?.length) socket.send({ type: "ack", offset: events.at(-1)!.offset });
    };
    socket.frames.forEach((frame) => acknowledge(frame as { type: string }));
    socket.raw.addEventListener("message", ({ data }) => acknowledge(JSON.parse(data as string) as ServerFrame));
    return socket;
  }

  describe("tidewire.v1", { tags: ["websocket"] }, () => {
    test("hello says how often to acknowledge, to readers that offer the subprotocol", async () => {
      const channel = freshChannel();
      expect(await (await Socket.open(channel)).first("hello")).toMatchObject({ ackBytes: STRIDE });
      expect(await (await Socket.open(channel, {}, [])).first("hello")).not.toHaveProperty("ackBytes");
    });

    test("a page of history waits for the acknowledgement of the one before", async () => {
      const channel = freshChannel();
      await publishAll(channel, events(1, 35));
      const socket = await Socket.open(channel);
      for (const page of numbers(1, 3)) {
        await socket.hasEvents(page * 10);
        // Another connection's whole history passes in the meantime.
        const other = await openAcknowledging(channel);
        await other.hasEvents(35);
        expect(numbersOf(socket)).toEqual(numbers(1, page * 10));
        socket.send({ type: "ack", offset: offsetOf(socket) });
      }
      await socket.hasEvents(35);
      await publishAll(channel, events(36, 36));
      await socket.hasEvents(36);
      expect(numbersOf(socket)).toEqual(numbers(1, 36));
    });

    test("an acknowledgement of less than that is not enough", async () => {
      const channel = freshChannel();
      await publishAll(channel, events(1, 20));
      const socket = await Socket.open(channel);
      await socket.hasEvents(10);
      socket.send({ type: "ack", offset: socket.all("events")[0]!.events[8]!.offset });
      socket.send({ type: "publish", id: "a", data: null });
      await socket.first("ack");
      expect(numbersOf(socket)).toEqual(numbers(1, 10));
      for (const page of [20, 21]) {
        socket.send({ type: "ack", offset: offsetOf(socket) });
        await socket.hasEvents(page);
      }
    });

    test("a live reader that acknowledges stays; one that does not is closed with 3008 and resumes without a loss", async () => {
      const channel = freshChannel();
      await publish(channel, { number: 0 });
      const keeping = await openAcknowledging(channel);
      const silent = await Socket.open(channel);
      const unwindowed = await Socket.open(channel, {}, []);
      for (const socket of [keeping, silent, unwindowed]) await socket.hasEvents(1);
      for (const number of numbers(1, 100)) {
        await publishAll(channel, events(number, number));
        await keeping.hasEvents(number + 1);
      }
      expect(await silent.first("close")).toEqual({ type: "close", code: 3008, reason: "slow" });
      const seen = numbersOf(silent);
      expect(seen).toEqual(numbers(0, seen.length - 1));
      expect(seen.length).toBeGreaterThan(WINDOW / 1_100);
      expect(seen.length).toBeLessThan(WINDOW / 1_000 + 5);
      await unwindowed.hasEvents(101);
      for (const socket of [keeping, unwindowed]) {
        expect(socket.all("close")).toEqual([]);
        expect(numbersOf(socket)).toEqual(numbers(0, 100));
      }
      const resumed = await openAcknowledging(`${channel}?offset=${offsetOf(silent)}`);
      await resumed.hasEvents(101 - seen.length);
      expect(await silent.closed()).toBe(3008);
      expect([...seen, ...numbersOf(resumed)]).toEqual(numbers(0, 100));
    });

    test("one event that is larger than the window is for readers that have acknowledged all before", async () => {
      const channel = freshChannel();
      const socket = await openAcknowledging(channel);
      await socket.first("events");
      await publish(channel, "y".repeat(WINDOW + 5_000));
      await socket.hasEvents(1);
      await publish(channel, "z");
      await socket.hasEvents(2);
      expect(socket.all("close")).toEqual([]);
    });

    test("the window of a connection survives sleep", async () => {
      const name = freshName();
      const channel = `${server.url}/feed/${name}`;
      const windowed = await Socket.open(channel);
      const unwindowed = await Socket.open(channel, {}, []);
      await eventually("they are live", () => [windowed, unwindowed].every((socket) => socket.all("events").length === 1));
      await server.evict("FeedChannel", name);
      for (const number of numbers(1, 60)) await publishAll(channel, events(number, number));
      expect(await windowed.first("close")).toMatchObject({ code: 3008 });
      expect(windowed.events.length).toBeGreaterThan(WINDOW / 1_100);
      await unwindowed.hasEvents(60);
      expect(unwindowed.all("close")).toEqual([]);
    });

    test("a client that never acknowledges gets every event once, closed with 3008 each time", async () => {
      const channel = freshChannel();
      await publishAll(channel, events(1, 15));
      const got: number[] = [];
      const closes: number[] = [];
      let offset = "-1";
      let published = 15;
      while (got.length < 115) {
        const socket = await Socket.open(channel, { offset });
        // A page of history that is not acknowledged ends the connection after a while, a window of live events at once.
        const [isClosed, hasAll] = [() => socket.all("close").length > 0, () => got.length + socket.events.length === 115];
        await eventually("it is closed, or live", () => isClosed() || socket.all("events").some(({ upToDate }) => upToDate));
        while (!isClosed() && published < 115) {
          published += 1;
          await publishAll(channel, events(published, published));
        }
        await eventually("it is closed, or has all", () => isClosed() || hasAll());
        closes.push(...socket.all("close").map(({ code }) => code));
        got.push(...numbersOf(socket));
        offset = offsetOf(socket);
        socket.raw.close();
      }
      expect(got).toEqual(numbers(1, 115));
      expect(new Set(closes)).toEqual(new Set([3008]));
      expect(closes.length).toBeGreaterThan(1);
    });
  });
});
