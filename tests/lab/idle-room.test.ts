// An idle room: two members ping, and nothing wakes the channel; the members survive its sleep.

import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { announce, members } from "../harness/chat.ts";
import { eventually } from "../harness/eventually.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, useOwnServer } from "../harness/suite.ts";

const SILENCE_MS = 30_000;
const PING_MS = 2_000;

describeOwnServer("idle room", () => {
  // The lease ends within the silence: only the pings renew it.
  const server = useOwnServer("idle-room", { PRESENCE_LEASE_MS: "10000" });

  test("two members that ping for a while wake nobody and are still there", { timeout: 120_000, tags: ["durable-objects"] }, async () => {
    const room = `${server.url}/chat/${freshName()}`;
    const people = [await Socket.open(room), await Socket.open(room)];
    people.forEach((socket, index) => socket.send({ type: "presence", id: `p${index}`, state: { name: `Person ${index}` } }));
    await eventually("both are there", async () => (await members(room)).length === 2);
    expect(server.wakes("ChatChannel")).toBe(1);

    const pinging = setInterval(() => people.forEach((socket) => socket.send("ping")), PING_MS);
    onTestFinished(() => clearInterval(pinging));
    // The silence itself is what is tested: the runtime lets an object sleep after some ten seconds without work.
    await delay(SILENCE_MS);
    expect(people.every(({ texts }) => texts.length > 10)).toBe(true);
    expect(server.wakes("ChatChannel"), "pings wake nobody").toBe(1);

    await announce(room, "late", { name: "Late" });
    await eventually("both are notified", () => people.every((socket) => socket.all("presence").at(-1)!.members.some(({ id }) => id === "late")));
    expect(server.wakes("ChatChannel"), "it had slept").toBe(2);
    expect((await members(room)).map(({ id }) => id)).toEqual(["late", "p0", "p1"]);
  });
});
