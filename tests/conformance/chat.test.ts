// The rules of functions/chat, the same on every transport: what a message is, how often one comes, and a resend that is not doubled.

import { describe, expect, test } from "vitest";
import { message, send } from "../harness/chat.ts";
import { eventually } from "../harness/eventually.ts";
import { Socket } from "../harness/socket.ts";
import { freshName, header, useServer } from "../harness/suite.ts";

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

  test("refuses a producer that sends too much, says when it may come again, and takes no number of it", async () => {
    const room = freshRoom();
    const ten = Array.from({ length: 10 }, (_, index) => message(`text ${index}`));
    expect((await send(room, ten, { id: "ann", seq: 0 })).status).toBe(200);
    const refused = await send(room, ten, { id: "ann", seq: 1 });
    expect(refused.status).toBe(429);
    expect(Number(header(refused, "retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ type: "urn:tidewire:rate-exceeded" });
    // Others go on, and who sends again what was stored is told so.
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

  test("nobody who only visits closes or deletes a room", async () => {
    const room = freshRoom();
    await send(room, message("stays"));
    expect((await fetch(room, { method: "DELETE" })).status).toBe(401);
    expect((await fetch(room, { method: "POST", headers: { "stream-closed": "true" } })).status).toBe(401);
    expect(await history(room)).toEqual(["stays"]);
  });
});
