// The members of a channel, as the client reports them.

import { afterEach, expect, test, vi } from "vitest";
import { subscribe, type Presence } from "../../shared/client/src/index.ts";
import { eventually } from "../harness/eventually.ts";
import { FakeSocket } from "./fake-socket.ts";
import { serve } from "./middlebox.ts";

const CAME = { snapshot: true, members: [{ id: "a", state: { name: "Ann" } }] };
const LEFT = { members: [{ id: "a", state: null }] };
const TOLD = [
  { isSnapshot: true, members: CAME.members },
  { isSnapshot: false, members: LEFT.members },
];

afterEach(() => {
  vi.unstubAllGlobals();
});

test("reports the members, over WebSocket", async () => {
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
  const told: Presence[] = [];
  const subscription = subscribe("http://channel.test/x", { transports: ["websocket"], onPresence: (presence) => told.push(presence) });
  await eventually("a connection", () => FakeSocket.all.length === 1);
  for (const frame of [{ type: "hello", offset: "-1" }, { type: "presence", ...CAME }, { type: "presence", ...LEFT }]) FakeSocket.all[0]!.say(frame);
  expect(told).toEqual(TOLD);
  expect(subscription.offset, "presence moves nobody").toBe("-1");
  subscription.close();
});

test("reports the members, over SSE", async () => {
  const base = await serve((asked, answer) => {
    const isStream = asked.headers.accept === "text/event-stream";
    answer.writeHead(200, { "content-type": isStream ? "text/event-stream" : "application/json", "stream-next-offset": "7" });
    if (isStream) answer.write([CAME, LEFT].map((data) => `event: presence\ndata:${JSON.stringify(data)}\n\n`).join(""));
    else answer.end("[]");
  });
  const told: Presence[] = [];
  const subscription = subscribe(base, { transports: ["sse"], offset: "7", onPresence: (presence) => told.push(presence) });
  await eventually("both", () => told.length === 2);
  expect(told).toEqual(TOLD);
  expect(subscription.offset, "presence moves nobody").toBe("7");
  subscription.close();
});
