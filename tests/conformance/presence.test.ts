// The members of a channel: over HTTP, over SSE, over WebSocket, and when a client vanishes.

import { describe, expect, test } from "vitest";
import { announce, Listener, members, presenceUrl } from "../harness/chat.ts";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { Socket } from "../harness/socket.ts";
import { ABSENT, describeOwnServer, freshName, publish, useOwnServer, useServer } from "../harness/suite.ts";

const ANN = { name: "Ann" };
const BEN = { name: "Ben" };

describe("presence", () => {
  const server = useServer();
  const freshRoom = () => `${server.url}/chat/${freshName()}`;

  test("by HTTP: joins, changes, leaves, and lists the members sorted by id", async () => {
    const room = freshRoom();
    expect(await members(room)).toEqual([]);
    await announce(room, "b", BEN);
    const answer = await announce(room, "a", ANN);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toEqual({ members: [{ id: "a", state: ANN }, { id: "b", state: BEN }] });
    await announce(room, "b", { ...BEN, typing: true });
    expect(await members(room)).toEqual([{ id: "a", state: ANN }, { id: "b", state: { ...BEN, typing: true } }]);
    expect(await (await announce(room, "a", null)).json()).toEqual({ members: [{ id: "b", state: { ...BEN, typing: true } }] });
    expect((await announce(room, "nobody", null)).status).toBe(200);
    expect(await members(room)).toHaveLength(1);
  });

  test("creates no channel and stores no event", async () => {
    const room = freshRoom();
    await announce(room, "a", ANN);
    const answer = await fetch(room);
    expect(answer.headers.get("stream-next-offset")).toBe(ABSENT);
    expect(await answer.json()).toEqual([]);
  });

  test("takes any content type, as a page that is closed sends it", async () => {
    const room = freshRoom();
    for (const type of ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded"]) {
      const answer = await fetch(presenceUrl(room), { method: "POST", headers: { "content-type": type }, body: '{"id":"a","state":{}}' });
      expect(answer.status).toBe(200);
    }
  });

  test.each([
    ["no JSON", "x"],
    ["no id", '{"state":{}}'],
    ["no state", '{"id":"a"}'],
    ["an empty id", '{"id":"","state":{}}'],
    ["a long id", JSON.stringify({ id: "i".repeat(65), state: {} })],
    ["a state that is not an object", '{"id":"a","state":[]}'],
    ["a long state", JSON.stringify({ id: "a", state: { a: "s".repeat(1_017) } })],
  ])("refuses %s", async (_, body) => {
    const room = freshRoom();
    const answer = await fetch(presenceUrl(room), { method: "POST", body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ type: "urn:tidewire:presence-invalid" });
    expect(await members(room)).toEqual([]);
  });

  test("does not exist at functions without presence", async () => {
    expect((await fetch(presenceUrl(`${server.url}/feed/${freshName()}`))).status).toBe(404);
    expect((await fetch(presenceUrl(freshRoom()), { method: "PUT", body: "{}" })).status).toBe(405);
  });

  test("an EventSource gets all members first and then each change, without an id", async () => {
    const room = freshRoom();
    await announce(room, "a", ANN);
    const listener = await Listener.open(room);
    expect(listener.told).toEqual([{ snapshot: true, members: [{ id: "a", state: ANN }] }]);
    await announce(room, "b", BEN);
    await eventually("told of b", () => "b" in listener.present);
    await announce(room, "b", { ...BEN, typing: true });
    await eventually("it gets b's typing", () => listener.present.b?.typing === true);
    await announce(room, "a", null);
    await eventually("it gets that a left", () => !("a" in listener.present));
    expect(listener.told.slice(1).map(({ members }) => members)).toEqual([
      [{ id: "b", state: BEN }],
      [{ id: "b", state: { ...BEN, typing: true } }],
      [{ id: "a", state: null }],
    ]);
  });

  test("an EventSource gets all members before the requested events", async () => {
    const room = freshRoom();
    await announce(room, "a", ANN);
    await publish(room, { type: "message", id: "m", from: { id: "p", name: "Ann", color: "#000000" }, text: "x", at: 1 });
    const abort = new AbortController();
    const answer = await fetch(`${room}?offset=-1`, { headers: { accept: "text/event-stream" }, signal: abort.signal });
    let body = "";
    const reading = (async () => {
      for await (const chunk of answer.body!) body += Buffer.from(chunk).toString();
    })().catch(() => {});
    await eventually("members and event", () => body.includes("event: presence") && body.includes('"text":"x"'));
    abort.abort();
    await reading;
    const [greeting, members, event] = ["retry:", "event: presence", '"text":"x"'].map((part) => body.indexOf(part));
    expect(greeting).toBe(0);
    expect(members).toBeLessThan(event!);
  });

  test("renewing notifies no reader", async () => {
    const room = freshRoom();
    await announce(room, "a", ANN);
    const listener = await Listener.open(room);
    await announce(room, "a", ANN);
    await announce(room, "b", BEN);
    await eventually("told of b", () => "b" in listener.present);
    expect(listener.told).toHaveLength(2);
  });

  test("live=sse carries no presence", async () => {
    const room = freshRoom();
    await announce(room, "a", ANN);
    const abort = new AbortController();
    const answer = await fetch(`${room}?offset=-1&live=sse`, { signal: abort.signal });
    let body = "";
    const reading = (async () => {
      for await (const chunk of answer.body!) body += Buffer.from(chunk).toString();
    })().catch(() => {});
    const listener = await Listener.open(room);
    await announce(room, "b", BEN);
    await eventually("another reader gets b", () => "b" in listener.present);
    await publish(room, { type: "message", id: "m", from: { id: "p", name: "Ann", color: "#000000" }, text: "x", at: 1 });
    await eventually("the event", () => body.includes('"text":"x"'));
    abort.abort();
    await reading;
    expect(body).not.toContain("presence");
  });
});

describe("presence over WebSocket", { tags: ["websocket"] }, () => {
  const server = useServer();
  const freshRoom = () => `${server.url}/chat/${freshName()}`;

  test("a snapshot after hello, each change once, and a closed socket leaves", async () => {
    const room = freshRoom();
    const ann = await Socket.open(room);
    expect(await ann.first("presence")).toEqual({ type: "presence", snapshot: true, members: [] });
    expect(ann.frames[0]!.type).toBe("hello");
    ann.send({ type: "presence", id: "a", state: ANN });
    await eventually("Ann gets herself", () => ann.all("presence").length === 2);
    const ben = await Socket.open(room);
    expect(await ben.first("presence")).toEqual({ type: "presence", snapshot: true, members: [{ id: "a", state: ANN }] });
    ben.send({ type: "presence", id: "b", state: BEN });
    const listener = await Listener.open(room);
    await eventually("Ann gets Ben", () => ann.all("presence").length === 3);
    ben.raw.close();
    await eventually("Ann is told that Ben left", () => ann.all("presence").length === 4);
    expect(ann.all("presence").slice(1).map(({ members }) => members)).toEqual([[{ id: "a", state: ANN }], [{ id: "b", state: BEN }], [{ id: "b", state: null }]]);
    await eventually("and so is an EventSource", () => listener.told.length === 2);
    expect(await members(room)).toEqual([{ id: "a", state: ANN }]);
  });

  test("an invalid presence is an error that ends nothing", async () => {
    const socket = await Socket.open(freshRoom());
    socket.send({ type: "presence", id: "a", state: [] });
    expect(await socket.first("error")).toMatchObject({ code: "presence-invalid", status: 400 });
    socket.send({ type: "presence", id: "a", state: ANN });
    await eventually("told", () => socket.all("presence").length === 2);
  });

  test("a socket is one member: under another id the first one leaves", async () => {
    const room = freshRoom();
    const socket = await Socket.open(room);
    socket.send({ type: "presence", id: "a", state: ANN });
    socket.send({ type: "presence", id: "b", state: BEN });
    await eventually("it gets both", () => socket.all("presence").length === 4);
    expect(socket.all("presence").slice(2).map(({ members }) => members)).toEqual([[{ id: "a", state: null }], [{ id: "b", state: BEN }]]);
    socket.send({ type: "presence", id: "b", state: null });
    await eventually("told", () => socket.all("presence").length === 5);
    expect(await members(room)).toEqual([]);
  });

  test("a page that comes back is not taken away by the end of its old socket", async () => {
    const name = freshName();
    const room = `${server.url}/chat/${name}`;
    const proxy = await Proxy.start(Number(new URL(server.url).port));
    try {
      // The old sockets of a, and of a witness whose leaving shows that they ended.
      const [old, witness] = [await Socket.open(`${proxy.url}/chat/${name}`), await Socket.open(`${proxy.url}/chat/${name}`)];
      old.send({ type: "presence", id: "a", state: ANN });
      witness.send({ type: "presence", id: "w", state: {} });
      const back = await Socket.open(room);
      await eventually("both are there", async () => (await members(room)).length === 2);
      back.send({ type: "presence", id: "a", state: { ...ANN, typing: true } });
      await eventually("changed", async () => (await members(room))[0]!.state!.typing === true);
      proxy.cut();
      await eventually("the witness left", () => back.all("presence").at(-1)!.members.some(({ id, state }) => id === "w" && state === null));
      expect(await members(room)).toEqual([{ id: "a", state: { ...ANN, typing: true } }]);
      expect(back.all("presence").flatMap(({ members }) => members).filter(({ id, state }) => id === "a" && state === null)).toEqual([]);
    } finally {
      await proxy.stop();
    }
  });
});

describeOwnServer("presence when nobody says goodbye", () => {
  const server = useOwnServer("presence-lease", { PRESENCE_LEASE_MS: "2000", PRESENCE_MAX_MEMBERS: "2" });
  const freshRoom = () => `${server.url}/chat/${freshName()}`;

  test("an expired lease is left out, and readers are notified", async () => {
    const room = freshRoom();
    const listener = await Listener.open(room);
    await announce(room, "a", ANN);
    await eventually("a is there", () => "a" in listener.present);
    await eventually("a is gone from the list", async () => (await members(room)).length === 0);
    await eventually("the reader is told", () => !("a" in listener.present));
    expect(listener.told.at(-1)).toEqual({ members: [{ id: "a", state: null }] });
  });

  test("a member that renews stays, while another member's lease expires", async () => {
    const room = freshRoom();
    const listener = await Listener.open(room);
    await announce(room, "b", BEN);
    await eventually("b is gone", async () => {
      const { members } = (await (await announce(room, "a", ANN)).json()) as { members: { id: string }[] };
      return members.every(({ id }) => id !== "b");
    });
    await eventually("the reader is told", () => !("b" in listener.present));
    expect(listener.told.flatMap(({ members }) => members).filter(({ id, state }) => id === "a" && state === null)).toEqual([]);
  });

  test("refuses one member too many, until a lease is over", async () => {
    const room = freshRoom();
    await announce(room, "a", ANN);
    await announce(room, "b", BEN);
    const answer = await announce(room, "c", {});
    expect(answer.status).toBe(429);
    expect(answer.headers.get("retry-after")).toBe("2");
    expect(await answer.json()).toMatchObject({ type: "urn:tidewire:presence-full" });
    await eventually("there is room again", async () => (await announce(room, "c", {})).status === 200);
  });

  test("pings renew the lease of a socket's member", { tags: ["websocket"] }, async () => {
    const room = freshRoom();
    const socket = await Socket.open(room);
    socket.send({ type: "presence", id: "a", state: ANN });
    await announce(room, "b", BEN);
    await eventually("b's lease is over, and a's would be", async () => {
      socket.send("ping");
      return (await members(room)).every(({ id }) => id !== "b");
    });
    expect(await members(room)).toEqual([{ id: "a", state: ANN }]);
    await eventually("silence ends a's", async () => (await members(room)).length === 0);
    expect(socket.all("presence").at(-1)!.members).toEqual([{ id: "a", state: null }]);
  });
});

describeOwnServer("presence through trouble", () => {
  const server = useOwnServer("presence-trouble");

  test("members survive the eviction of their channel, and those that close in its sleep leave", { tags: ["durable-objects"] }, async () => {
    const name = freshName();
    const room = `${server.url}/chat/${name}`;
    const [ann, ben] = [await Socket.open(room), await Socket.open(room)];
    ann.send({ type: "presence", id: "a", state: ANN });
    ben.send({ type: "presence", id: "b", state: BEN });
    await announce(room, "c", {});
    await server.evict("ChatChannel", name);
    expect((await members(room)).map(({ id }) => id)).toEqual(["a", "b", "c"]);
    await server.evict("ChatChannel", name);
    ben.raw.close();
    await eventually("Ann is told that Ben left", () => ann.all("presence").at(-1)!.members.some(({ id, state }) => id === "b" && state === null));
    expect((await members(room)).map(({ id }) => id)).toEqual(["a", "c"]);
  });

  test("a connection that is cut leaves", { tags: ["websocket"] }, async () => {
    const name = freshName();
    const proxy = await Proxy.start(server.port);
    try {
      const ann = await Socket.open(`${server.url}/chat/${name}`);
      const ben = await Socket.open(`${proxy.url}/chat/${name}`);
      ben.send({ type: "presence", id: "b", state: BEN });
      await eventually("Ben is there", () => ann.all("presence").length === 2);
      proxy.cut();
      await eventually("Ann is told that Ben left", () => ann.all("presence").length === 3);
      expect(ann.all("presence").at(-1)!.members).toEqual([{ id: "b", state: null }]);
    } finally {
      await proxy.stop();
    }
  });

  test("members over HTTP survive a restart", async () => {
    const room = `${server.url}/chat/${freshName()}`;
    await announce(room, "a", ANN);
    await server.kill9();
    await server.restart();
    expect(await members(room)).toEqual([{ id: "a", state: ANN }]);
  });
});
