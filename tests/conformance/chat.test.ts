// The rules of functions/chat, the same on every transport: what a message is, how often one comes, and a resend that is not doubled.

import { describe, expect, test } from "vitest";
import { message, presenceUrl, send } from "../harness/chat.ts";
import { eventually } from "../harness/eventually.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, header, useOwnServer, useServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys, type Claims } from "../harness/ticket.ts";

const server = useServer();
const freshRoom = () => `${server.url}/chat/${freshName()}`;

async function history(room: string): Promise<string[]> {
  return ((await (await fetch(room)).json()) as { text: string }[]).map(({ text }) => text);
}

describe("chat", () => {
  test("a message that is sent again is stored once and acknowledged again", async () => {
    const room = freshRoom();
    const first = await send(room, message("once"), { id: "ann", seq: 0 });
    expect(first.status).toBe(200);
    const again = await send(room, message("once"), { id: "ann", seq: 0 });
    expect(again.status).toBe(204);
    expect(header(again, "stream-next-offset")).toBe(header(first, "stream-next-offset"));
    expect(await history(room)).toEqual(["once"]);
  });

  test.each([
    ["an empty text", { text: "" }],
    ["a text of spaces", { text: " \n" }],
    ["a long text", { text: "\u{1f4a7}".repeat(2_001) }],
    ["a member it does not know", { html: "<b>" }],
    ["another type", { type: "deleted" }],
    ["an author without a name", { from: { id: "p", name: "", color: "#000000" } }],
    ["a color that is none", { from: { id: "p", name: "Ann", color: "red" } }],
  ])("refuses %s, and nothing of its batch is stored", async (_, change) => {
    const room = freshRoom();
    const answer = await send(room, [message("good"), { ...message("x"), ...change }]);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ type: "urn:tidewire:event-refused" });
    expect(await history(room)).toEqual([]);
  });

  test("takes the longest text, and whatever is in it comes out as it went in", async () => {
    const room = freshRoom();
    const texts = ["\u{1f4a7}".repeat(2_000), "<script>alert(1)</script>", "two\nlines \u2028 and \u0000", "\u{1f469}\u200d\u{1f680}"];
    for (const text of texts) expect((await send(room, message(text))).status).toBe(204);
    expect(await history(room)).toEqual(texts);
  });

  test("refuses a producer that sends too much, says when it may retry, and uses up no number of it", async () => {
    const room = freshRoom();
    const ten = Array.from({ length: 10 }, (_, index) => message(`text ${index}`));
    expect((await send(room, ten, { id: "ann", seq: 0 })).status).toBe(200);
    const refused = await send(room, ten, { id: "ann", seq: 1 });
    expect(refused.status).toBe(429);
    expect(Number(header(refused, "retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ type: "urn:tidewire:rate-exceeded" });
    // Others continue, and a retry of a stored event gets the answer of a duplicate.
    expect((await send(room, message("Ben's"), { id: "ben", seq: 0 })).status).toBe(200);
    expect((await send(room, ten, { id: "ann", seq: 0 })).status).toBe(204);
    await eventually("the same number goes through", async () => (await send(room, message("later"), { id: "ann", seq: 1 })).status === 200);
    expect(await history(room)).toEqual([...ten.map(({ text }) => text), "Ben's", "later"]);
  });

  test("those without a producer id share one rate, and a batch above it never comes through", async () => {
    const room = freshRoom();
    const eleven = Array.from({ length: 11 }, (_, index) => message(`text ${index}`));
    expect((await send(room, eleven)).status).toBe(413);
    expect((await send(room, eleven.slice(1))).status).toBe(204);
    expect((await send(room, eleven.slice(1))).status).toBe(429);
  });

  test("over WebSocket: acknowledged, refused by the rules and by the rate", { tags: ["websocket"] }, async () => {
    const room = freshRoom();
    const socket = await Socket.open(room);
    const publish = (id: string, data: unknown) => socket.send({ type: "publish", id, data });
    publish("good", message("good"));
    expect(await socket.first("ack")).toMatchObject({ id: "good" });
    publish("bad", { ...message("x"), text: "" });
    expect(await socket.first("error")).toMatchObject({ id: "bad", code: "event-refused", status: 422 });
    for (let index = 0; index < 40; index += 1) publish(`n${index}`, message("more"));
    await eventually("all are answered", () => socket.all("ack").length + socket.all("error").length === 42);
    const refused = socket.all("error").slice(1);
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) expect(error).toMatchObject({ code: "rate-exceeded", status: 429, retryAfterMs: expect.any(Number) });
    expect(await history(room)).toHaveLength(socket.all("ack").length);
  });

  test("a visitor cannot close or delete a room", async () => {
    const room = freshRoom();
    await send(room, message("stays"));
    expect((await fetch(room, { method: "DELETE" })).status).toBe(401);
    expect((await fetch(room, { method: "POST", headers: { "stream-closed": "true" } })).status).toBe(401);
    expect(await history(room)).toEqual(["stays"]);
  });
});

describeOwnServer("who writes in a room", () => {
  const KEY = freshKey();
  const server = useOwnServer("chat", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(KEY) });
  const freshRoom = (prefix = "room-") => `${server.url}/chat/${prefix}${freshName()}`;

  const ticket = (sub?: string, rights: Claims["rights"] = ["read", "publish", "presence"]) => mint(KEY, { aud: "chat", ch: "*", rights, ...(sub && { sub }) });
  const [ann, ben, nobody] = [ticket("ann"), ticket("ben"), ticket()];

  function ask(url: string, method: string, body: unknown, credential?: string, headers: Record<string, string> = {}): Promise<Response> {
    const authorization = credential && { authorization: `Bearer ${credential}` };
    return fetch(url, { method, headers: { "content-type": "application/json", ...authorization, ...headers }, body: JSON.stringify(body) });
  }

  /** A message whose page says that it is of this author. */
  const by = (author: string, text: string, more = {}) => ({ ...message(text), from: { ...message(text).from, id: author, ...more } });

  async function authors(room: string): Promise<(string | boolean)[][]> {
    const answer = await fetch(room, { headers: { authorization: `Bearer ${nobody}` } });
    const messages = (await answer.json()) as { text: string; from: { id: string; name: string; verified?: true } }[];
    return messages.map(({ text, from: { id, name, verified = false } }) => (expect(name).toBe("Ann"), [text, id, verified]));
  }

  test("the author is the subject of the credential, whatever the page says", async () => {
    const room = freshRoom();
    expect((await ask(room, "POST", by("ben", "one"), ann)).status).toBe(204);
    expect((await ask(room, "POST", [by("ben", "two"), by("ann", "three")], ben)).status).toBe(204);
    expect((await ask(room, "POST", by("cid", "four", { verified: true }), ann)).status).toBe(204);
    expect(await authors(room)).toEqual([["one", "ann", true], ["two", "ben", true], ["three", "ben", true], ["four", "ann", true]]);
  });

  test("so it is where a room is made with its first message", async () => {
    const room = freshRoom();
    expect((await ask(room, "PUT", [by("ben", "first")], ticket("ann", ["read", "manage"]))).status).toBe(201);
    expect(await authors(room)).toEqual([["first", "ann", true]]);
  });

  test("a message that is sent again is stored once, with its first author", async () => {
    const room = freshRoom();
    const producer = { "producer-id": "tab", "producer-epoch": "0", "producer-seq": "0" };
    expect((await ask(room, "POST", by("p", "once"), ann, producer)).status).toBe(200);
    expect((await ask(room, "POST", by("p", "once"), ben, producer)).status).toBe(204);
    expect(await authors(room)).toEqual([["once", "ann", true]]);
  });

  test("without a subject the author is what the page says, and nobody is verified by saying so", async () => {
    const [room, demo] = [freshRoom(), freshRoom("demo-")];
    expect((await ask(room, "POST", by("ann", "one"), nobody)).status).toBe(204);
    expect((await ask(demo, "POST", by("ann", "one"))).status).toBe(204);
    for (const refused of [await ask(room, "POST", by("ann", "two", { verified: true }), nobody), await ask(demo, "POST", by("ann", "two", { verified: true }))]) {
      expect([refused.status, await refused.json()]).toMatchObject([422, { type: "urn:tidewire:event-refused" }]);
    }
    expect((await ask(demo, "POST", by("cid", "three"), ann)).status).toBe(204);
    expect(await authors(room)).toEqual([["one", "ann", false]]);
    expect(await authors(demo)).toEqual([["one", "ann", false], ["three", "ann", true]]);
  });

  test("a member is present as the subject, and can take nobody else from the list", async () => {
    const room = freshRoom();
    const say = async (id: string, state: unknown, credential: string) => {
      const answer = await ask(presenceUrl(room), "POST", { id, state }, credential);
      expect(answer.status).toBe(200);
      return ((await answer.json()) as { members: { id: string }[] }).members.map(({ id }) => id);
    };
    expect(await say("a", {}, ann)).toEqual(["ann"]);
    expect(await say("ann", {}, ben)).toEqual(["ann", "ben"]);
    expect(await say("guest", {}, nobody)).toEqual(["ann", "ben", "guest"]);
    expect(await say("ann", null, ben)).toEqual(["ann", "guest"]);
    expect(await say("b", null, ann)).toEqual(["guest"]);
    const long = await ask(presenceUrl(room), "POST", { id: "a", state: {} }, ticket("s".repeat(256)));
    expect([long.status, await long.json()]).toMatchObject([400, { type: "urn:tidewire:presence-invalid" }]);
  });

  test("over WebSocket as over HTTP", { tags: ["websocket"] }, async () => {
    const room = freshRoom();
    const socket = await Socket.open(room, { ticket: ann });
    socket.send({ type: "publish", id: "1", data: by("ben", "one") });
    expect(await socket.first("ack")).toMatchObject({ id: "1" });
    await socket.hasEvents(1);
    expect(socket.all("events").flatMap(({ events }) => events)).toMatchObject([{ data: { from: { id: "ann", verified: true } } }]);
    socket.send({ type: "presence", id: "ben", state: { name: "Ann" } });
    await eventually("it is notified", () => socket.all("presence").length === 2);
    expect(socket.all("presence")[1]).toMatchObject({ members: [{ id: "ann" }] });
    const other = await Socket.open(room, { ticket: ben });
    other.send({ type: "presence", id: "ann", state: null });
    other.send({ type: "publish", id: "2", data: by("ann", "two", { verified: true }) });
    expect(await other.first("ack")).toMatchObject({ id: "2" });
    expect(socket.all("presence")).toHaveLength(2);
    expect(await authors(room)).toEqual([["one", "ann", true], ["two", "ben", true]]);
  });
});
