// Erasing one event: it disappears from history on every transport and from the store, and readers that have it are notified.

import { expect, test } from "vitest";
import { Listener, message, send } from "../harness/chat.ts";
import { eventually } from "../harness/eventually.ts";
import { read, TRANSPORTS } from "../harness/readers.ts";
import { describeOwnServer, freshName, header, useOwnServer } from "../harness/suite.ts";

const MINE = "a-secret-of-ann";

function erase(room: string, offset: string, producer?: string): Promise<Response> {
  return fetch(`${room}?offset=${offset}`, { method: "DELETE", headers: producer ? { "producer-id": producer } : {} });
}

/** Sends three messages of Ann and returns their offsets. */
async function fill(room: string): Promise<string[]> {
  const offsets = [];
  for (const seq of [0, 1, 2]) {
    const answer = await send(room, message(`text ${seq}`), { id: MINE, seq });
    expect(answer.status).toBe(200);
    offsets.push(header(answer, "stream-next-offset"));
  }
  return offsets;
}

describeOwnServer("erasing", () => {
  const server = useOwnServer("erase");
  const freshRoom = () => `${server.url}/chat/${freshName()}`;
  const texts = (events: unknown[]) => (events as { text?: string; offset?: string }[]).map(({ text, offset }) => text ?? `deleted ${offset}`);

  test("one's own event is a tombstone in history, and its offset stays", async () => {
    const room = freshRoom();
    const offsets = await fill(room);
    const answer = await erase(room, offsets[1]!, MINE);
    expect(answer.status, await answer.text()).toBe(204);
    const page = await fetch(room);
    expect(texts((await page.json()) as unknown[])).toEqual(["text 0", `deleted ${offsets[1]}`, "text 2", `deleted ${offsets[1]}`]);
    expect(header(page, "stream-next-offset")).toBe(header(answer, "stream-next-offset"));
    expect(texts((await (await fetch(`${room}?offset=${offsets[1]}`)).json()) as unknown[])).toEqual(["text 2", `deleted ${offsets[1]}`]);
  });

  test("erasing twice changes nothing", async () => {
    const room = freshRoom();
    const [first] = await fill(room);
    const tail = header(await erase(room, first!, MINE), "stream-next-offset");
    const again = await erase(room, first!, MINE);
    expect(again.status).toBe(204);
    expect(header(again, "stream-next-offset")).toBe(tail);
    expect((await (await fetch(room)).json()) as unknown[]).toHaveLength(4);
  });

  test("another's event is not erased, nor without a producer id", async () => {
    const room = freshRoom();
    const [first] = await fill(room);
    await send(room, message("of nobody"));
    const unowned = header(await fetch(room), "stream-next-offset");
    const refusals = [[first, "somebody-else", "access-denied"], [first, undefined, "credential-missing"], [unowned, MINE, "access-denied"]] as const;
    for (const [offset, producer, code] of refusals) {
      const answer = await erase(room, offset!, producer);
      expect(answer.status).toBe(code === "access-denied" ? 403 : 401);
      expect(await answer.json()).toMatchObject({ type: `urn:tidewire:${code}` });
    }
    expect(texts((await (await fetch(room)).json()) as unknown[])).toEqual(["text 0", "text 1", "text 2", "of nobody"]);
  });

  test("an offset without an event is not found, and a missing offset does not delete the channel", async () => {
    const room = freshRoom();
    const [first] = await fill(room);
    const [epoch] = first!.split("_");
    const codes = async (offset: string) => {
      const answer = await erase(room, offset, MINE);
      return `${answer.status} ${((await answer.json()) as { type: string }).type.split(":").at(-1)}`;
    };
    for (const offset of ["-1", `${epoch}_00000000000000`, `${epoch}_00000000000009`, "00000000000a_00000000000001"])
      expect(await codes(offset), offset).toBe("404 event-not-found");
    for (const offset of ["", "now", "x"]) expect(await codes(offset), offset).toBe("400 offset-malformed");
    expect((await erase(freshRoom(), first!, MINE)).status).toBe(404);
    expect((await fetch(`${server.url}/feed/${freshName()}?offset=-1`, { method: "DELETE" })).status).toBe(405);
    expect((await (await fetch(room)).json()) as unknown[]).toHaveLength(3);
  });

  test("nobody can publish a tombstone", async () => {
    const answer = await send(freshRoom(), { type: "deleted", offset: "-1" });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ type: "urn:tidewire:event-refused" });
  });

  test.each(TRANSPORTS)("live readers over %s hear of it once", async (transport) => {
    const room = freshRoom();
    const offsets = await fill(room);
    const reader = read(transport, room);
    try {
      await eventually("history", () => reader.events.length === 3);
      await erase(room, offsets[1]!, MINE);
      await eventually("the tombstone", () => reader.events.length === 4);
      expect(texts(reader.events)).toEqual(["text 0", "text 1", "text 2", `deleted ${offsets[1]}`]);
      // A reader that was away in between gets no trace of the text.
      const late = read(transport, room, offsets[0]!);
      await eventually("what is left", () => late.events.length === 3);
      late.close();
      expect(texts(late.events)).toEqual([`deleted ${offsets[1]}`, "text 2", `deleted ${offsets[1]}`]);
    } finally {
      reader.close();
    }
  });

  test("the text is nowhere in the store, and the producer id nowhere on the wire", async () => {
    const room = freshRoom();
    const listener = await Listener.open(room);
    const answer = await send(room, message("a-text-to-forget"), { id: MINE, seq: 0 });
    const offset = header(answer, "stream-next-offset");
    await eventually("stored", async () => server.rows(/a-text-to-forget/).length === 1);
    expect((await erase(room, offset, MINE)).status).toBe(204);
    await eventually("forgotten", async () => server.rows(/a-text-to-forget/).length === 0);
    expect(server.rows(new RegExp(offset)).length, "the rows of the room were looked at").toBe(2);
    await eventually("it is notified", () => listener.names.filter((name) => name === "message").length === 2);
    expect(listener.text).not.toContain(MINE);
    expect(await (await fetch(room)).text()).not.toContain(MINE);
  });

  test("survives a restart", async () => {
    const room = freshRoom();
    const offsets = await fill(room);
    await erase(room, offsets[2]!, MINE);
    const before = await fetch(room);
    const history = (await before.json()) as unknown[];
    await server.kill9();
    await server.restart();
    const after = await fetch(room);
    expect(header(after, "etag")).toBe(header(before, "etag"));
    expect(await after.json()).toEqual(history);
    expect((await erase(room, offsets[2]!, MINE)).status).toBe(204);
    expect((await erase(room, offsets[0]!, MINE)).status).toBe(204);
  });
});

describeOwnServer("erasing where a page has two events", () => {
  const server = useOwnServer("erase-pages", { PAGE_MAX_EVENTS: "2" });

  test("a cached page is not good any more, also one that the tail does not touch", async () => {
    const room = `${server.url}/chat/${freshName()}`;
    const [first] = await fill(room);
    const etag = header(await fetch(room), "etag");
    expect((await fetch(room, { headers: { "if-none-match": etag } })).status).toBe(304);
    await erase(room, first!, MINE);
    const changed = await fetch(room, { headers: { "if-none-match": etag } });
    expect(changed.status).toBe(200);
    expect(((await changed.json()) as { type: string }[]).map(({ type }) => type)).toEqual(["deleted", "message"]);
    expect((await fetch(room, { headers: { "if-none-match": header(changed, "etag") } })).status).toBe(304);
  });
});
