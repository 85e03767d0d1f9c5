// An application that takes events more slowly than they come.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { subscribe } from "../../shared/client/src/index.ts";
import { eventually } from "../harness/eventually.ts";
import { numbers } from "../harness/suite.ts";
import { FakeSocket } from "./fake-socket.ts";

beforeEach(() => {
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const offsetOf = (number: number) => String(number).padStart(6, "0");
const eventsFrame = (from: number, to: number) => ({ type: "events", events: numbers(from, to).map((data) => ({ offset: offsetOf(data), data })) });

test("a WebSocket is closed when ten thousand events wait, and resumed where it was once there is room", async () => {
  const subscription = subscribe("http://channel.test/x", { transports: ["websocket"], backoff: { baseMs: 0 } });
  await eventually("a connection", () => FakeSocket.all.length === 1);
  const [first] = FakeSocket.all;
  first!.say({ type: "hello", offset: "-1" });
  for (let from = 1; from <= 10_000; from += 1_000) {
    expect(first!.isClosed).toBe(false);
    first!.say(eventsFrame(from, from + 999));
  }
  expect(first!.isClosed).toBe(true);
  first!.say(eventsFrame(10_001, 10_002));
  expect(FakeSocket.all).toHaveLength(1);
  expect(subscription.offset, "nothing was taken").toBe("-1");

  const got: unknown[] = [];
  for await (const { offset, data } of subscription) {
    got.push(data);
    expect(subscription.offset).toBe(offset);
    if (data === 1) {
      await eventually("another connection", () => FakeSocket.all.length === 2);
      const second = FakeSocket.all[1]!;
      expect(new URL(second.url).searchParams.get("offset")).toBe(offsetOf(10_000));
      second.say({ type: "hello", offset: offsetOf(10_000) });
      second.say(eventsFrame(10_001, 10_002));
    }
    if (data === 10_002) break;
  }
  expect(got).toEqual(numbers(1, 10_002));
});

test("the offset to resume from is that of the last event that was taken, also when reading began at the tail", async () => {
  const subscription = subscribe("http://channel.test/x", { transports: ["websocket"], offset: "now" });
  await eventually("a connection", () => FakeSocket.all.length === 1);
  FakeSocket.all[0]!.say({ type: "hello", offset: offsetOf(7) });
  FakeSocket.all[0]!.say(eventsFrame(8, 9));
  expect(subscription.offset).toBe(offsetOf(7));
  for await (const { data } of subscription) {
    expect(subscription.offset).toBe(offsetOf(data as number));
    if (data === 9) break;
  }
});

test("a server that requests acknowledgements gets them", async () => {
  const subscription = subscribe("http://channel.test/x", { transports: ["websocket"], backoff: { baseMs: 0 } });
  await eventually("a connection", () => FakeSocket.all.length === 1);
  const socket = FakeSocket.all[0]!;
  socket.say({ type: "hello", offset: "-1", ackBytes: 3_000 });
  for (let from = 1; from <= 300; from += 10) socket.say(eventsFrame(from, from + 9));
  const acks = socket.sent.map((text) => JSON.parse(text) as { type: string; offset: string });
  // A frame has some 330 characters.
  expect(acks.map(({ type }) => type)).toEqual(["ack", "ack", "ack"]);
  expect(acks.map(({ offset }) => offset)).toEqual([...acks.map(({ offset }) => offset)].sort());
  expect(new Set(acks.map(({ offset }) => offset.slice(-1)))).toEqual(new Set(["0"]));
  socket.say({ type: "close", code: 3008, reason: "slow" });
  await eventually("it comes back without waiting for the close", () => FakeSocket.all.length === 2);
  expect(new URL(FakeSocket.all[1]!.url).searchParams.get("offset")).toBe(offsetOf(300));
  subscription.close();
});
