// The client of today with the server of each version of `tidewire.v1`, as recorded.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { subscribe, type ChannelEvent, type Gap } from "../../shared/client/src/index.ts";
import { eventually } from "../harness/eventually.ts";
import { EXCHANGES } from "../harness/exchange.ts";
import { FakeSocket } from "./fake-socket.ts";

beforeEach(() => {
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe.each(EXCHANGES)("a server of $version", ({ connections }) => {
  test.each(connections)("$purpose", async ({ steps, offset }) => {
    const told: (ChannelEvent | Gap)[] = [];
    const take = (entry: ChannelEvent | Gap) => void told.push(entry);
    const subscription = subscribe("http://channel.test/x", { transports: ["websocket"], offset, onEvent: take, onGap: take });
    await eventually("a connection", () => FakeSocket.all.length === 1);
    const socket = FakeSocket.all[0]!;
    const expected: unknown[] = [];
    let asks = false;
    for (const step of steps) {
      if (!("server" in step)) continue;
      if (typeof step.server === "string") {
        socket.onmessage!({ data: step.server });
        continue;
      }
      const { type, events, requested, earliest, ackBytes } = step.server as { type: string; events: ChannelEvent[]; requested: string; earliest: string; ackBytes?: number };
      asks ||= ackBytes !== undefined;
      if (type === "events") expected.push(...events);
      if (type === "gap") expected.push({ requested, earliest });
      socket.say(step.server);
    }
    if (!asks) socket.say({ type: "events", events: [{ offset: "z", data: "x".repeat(2_000_000) }] });
    expect(told.slice(0, expected.length)).toEqual(expected);
    expect(socket.sent, "a server that asks for no acknowledgement would refuse one").toEqual([]);
    const ends = steps.some((step) => "server" in step && (step.server as { type?: string }).type === "closed");
    await eventually("the state", () => subscription.state === (ends ? "finished" : "live"));
    subscription.close();
  });
});
