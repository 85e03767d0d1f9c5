// A burst of publishes: its events leave in few frames, each once and in order.

import { expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, numbers, useOwnServer } from "../harness/suite.ts";

const EVENTS = 50;
/** Counted, not timed. One frame an event would be `EVENTS`. */
const MAX_FRAMES = 25;
const ROUNDS = 6;
const READERS = 200;

describeOwnServer("bursts", () => {
  const server = useOwnServer("bursts");

  test(`a burst of ${EVENTS} reaches readers in order and in at most ${MAX_FRAMES} frames, and each is acknowledged`, { tags: ["websocket"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const [publisher, reader] = [await Socket.open(channel), await Socket.open(channel)];
    await Promise.all([publisher.first("events"), reader.first("events")]);
    const frames: number[] = [];
    for (const round of numbers(1, ROUNDS)) {
      const before = reader.all("events").length;
      for (const event of numbers(1, EVENTS)) publisher.send({ type: "publish", id: `${round}-${event}`, data: event });
      await reader.hasEvents(round * EVENTS);
      await eventually("all are acknowledged", () => publisher.all("ack").length === round * EVENTS);
      await publisher.hasEvents(round * EVENTS);
      frames.push(reader.all("events").length - before);
    }
    console.log(`bursts of ${EVENTS} events, in frames: ${frames.join(", ")}`);
    // On a busy machine publishes come further apart than events wait for each other.
    expect(Math.min(...frames)).toBeLessThanOrEqual(MAX_FRAMES);
    const expected = numbers(1, ROUNDS).flatMap(() => numbers(1, EVENTS));
    expect(reader.events).toEqual(expected);
    expect(publisher.events).toEqual(expected);
    const offsets = reader.all("events").flatMap(({ events }) => events.map(({ offset }) => offset));
    expect(publisher.all("ack").map(({ offset }) => offset)).toEqual(offsets);
  });

  // A frame to that many readers takes longer than the publishes are apart.
  test(`a burst by HTTP reaches ${READERS} sockets in at most ${MAX_FRAMES} frames`, { tags: ["websocket"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const readers = await Promise.all(numbers(1, READERS).map(() => Socket.open(channel)));
    await Promise.all(readers.map((reader) => reader.first("events")));
    const frames: number[] = [];
    for (const round of numbers(1, ROUNDS)) {
      const before = readers[0]!.all("events").length;
      const answers = await Promise.all(numbers(1, EVENTS).map((event) => fetch(channel, { method: "POST", headers: { "content-type": "application/json" }, body: `${event}` })));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]));
      await Promise.all(readers.map((reader) => reader.hasEvents(round * EVENTS)));
      frames.push(readers[0]!.all("events").length - before);
    }
    console.log(`bursts of ${EVENTS} events by HTTP, in frames: ${frames.join(", ")}`);
    expect(Math.min(...frames)).toBeLessThanOrEqual(MAX_FRAMES);
    const expected = readers[0]!.events;
    expect(new Set(expected.slice(0, EVENTS))).toEqual(new Set(numbers(1, EVENTS)));
    for (const reader of readers) expect(reader.events).toEqual(expected);
  });

  test("a reader that comes within a burst gets each event once", { tags: ["websocket"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const publisher = await Socket.open(channel);
    await publisher.first("events");
    const late: Promise<Socket>[] = [];
    for (const event of numbers(1, EVENTS)) {
      publisher.send({ type: "publish", id: `${event}`, data: event });
      if (event % 10 === 0) late.push(Socket.open(channel));
    }
    for (const reader of await Promise.all(late)) {
      await reader.hasEvents(EVENTS);
      expect(reader.events).toEqual(numbers(1, EVENTS));
    }
  });
});
