// Snapshots that stand for the past: a reader that begins at the beginning, or before the oldest event kept, gets the snapshot and then every event after it.

import { EventSource } from "eventsource";
import { expect, onTestFinished, test } from "vitest";
import * as Y from "yjs";
import { docOf, framed, updatesOf } from "../harness/document.ts";
import { eventually } from "../harness/eventually.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, header, numbers, useOwnServer } from "../harness/suite.ts";

const EVERY = 10;
const KEPT = 15;
/** As many updates as leave eight after the last snapshot. */
const WRITTEN = 128;
const COVERED = 120;
/** An update that retention has dropped. */
const DROPPED = 4;

const lines = (to: number) => numbers(1, to).map((line) => `${line}\n`).join("");
const textOf = (updates: Uint8Array[]) => docOf(updates).getText("text").toString();

describeOwnServer("snapshots of the past", () => {
  const server = useOwnServer("past", { SNAPSHOT_EVENTS: String(EVERY), RETENTION_MAX_EVENTS: String(KEPT), PAGE_MAX_EVENTS: "4" });

  interface Written {
    url: string;
    /** Of the updates, in order. */
    offsets: string[];
    updates: Uint8Array[];
  }

  /** A document in which each update appends a line. */
  async function write(count: number): Promise<Written> {
    const url = `${server.url}/collab/${freshName()}`;
    expect((await fetch(url, { method: "PUT" })).status).toBe(201);
    const doc = new Y.Doc();
    const written: Written = { url, offsets: [], updates: [] };
    for (const line of numbers(1, count)) {
      const before = Y.encodeStateVector(doc);
      doc.getText("text").insert(doc.getText("text").length, `${line}\n`);
      const update = Y.encodeStateAsUpdate(doc, before);
      const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: framed(update) });
      expect(answer.status).toBe(204);
      written.offsets.push(header(answer, "stream-next-offset"));
      written.updates.push(update);
    }
    return written;
  }

  /** All updates from an offset to the tail, and the snapshots that the answers name. */
  async function read(url: string, offset: string, live: string): Promise<{ updates: Uint8Array[]; snapshots: string[] }> {
    const updates = [];
    const snapshots = [];
    for (;;) {
      const answer = await fetch(`${url}?offset=${offset}${live}`);
      expect(answer.status).toBe(200);
      updates.push(...updatesOf(new Uint8Array(await answer.arrayBuffer())));
      if (answer.headers.has("stream-snapshot")) snapshots.push(header(answer, "stream-snapshot"));
      offset = header(answer, "stream-next-offset");
      if (answer.headers.has("stream-up-to-date")) return { updates, snapshots };
    }
  }

  /** The state that the snapshot covers, then each update after it as it was sent. Yjs would hide one that came twice. */
  function expectPast([snapshot, ...rest]: Uint8Array[], { updates }: Written): void {
    expect(textOf([snapshot!])).toBe(lines(COVERED));
    expect(rest.map((update) => Buffer.from(update).toString("hex"))).toEqual(updates.slice(COVERED).map((update) => Buffer.from(update).toString("hex")));
  }

  test.each(["", "&live=long-poll"])("GET%s gives the snapshot and then every update, after SIGKILL as well", async (live) => {
    const written = await write(WRITTEN);
    const { url, offsets, updates } = written;
    const expectAll = async () => {
      for (const offset of ["-1", offsets[DROPPED - 1]!]) {
        const all = await read(url, offset, live);
        expectPast(all.updates, written);
        expect(all.snapshots, offset).toEqual([offsets[COVERED - 1]]);
      }
    };
    await expectAll();
    const late = await read(url, offsets[COVERED]!, live);
    expect([late.updates.length, late.snapshots]).toEqual([WRITTEN - COVERED - 1, []]);
    expect(late.updates.at(-1)).toEqual(updates.at(-1));
    await server.kill9();
    await server.restart();
    await expectAll();
  });

  test("an EventSource gets the snapshot and then every update, without a gap", async () => {
    const written = await write(WRITTEN);
    for (const offset of ["-1", written.offsets[DROPPED - 1]!]) {
      const source = new EventSource(`${written.url}?offset=${offset}`);
      onTestFinished(() => source.close());
      const got: Uint8Array[] = [];
      let gaps = 0;
      source.addEventListener("gap", () => (gaps += 1));
      source.addEventListener("message", ({ data }) => got.push(...updatesOf(Buffer.from(data as string, "base64"))));
      await eventually("the last update is there", () => got.length > WRITTEN - COVERED);
      expectPast(got, written);
      expect(gaps).toBe(0);
      source.close();
    }
  });

  test("a WebSocket gets the snapshot and then every update, each with its offset and without a gap", { tags: ["websocket"] }, async () => {
    const written = await write(WRITTEN);
    for (const offset of ["-1", written.offsets[DROPPED - 1]!]) {
      const socket = await Socket.open(written.url, { offset });
      await socket.hasEvents(1 + WRITTEN - COVERED);
      expectPast(socket.events.flatMap((data) => updatesOf(Buffer.from(data as string, "base64"))), written);
      expect(socket.all("events").flatMap(({ events }) => events.map(({ offset }) => offset))).toEqual(written.offsets.slice(COVERED - 1));
      expect(socket.all("gap")).toEqual([]);
    }
  });

  test("retention drops what a snapshot covers, and a version that it dropped is refused", async () => {
    const { url, offsets } = await write(WRITTEN);
    const name = url.split("/").at(-1)!;
    const version = (offset: string) => fetch(`${url.slice(0, -name.length)}-/version/${name}?at=${offset}`);
    // The offsets of snapshots stay, and so does each update that is kept.
    for (const number of [EVERY, COVERED, COVERED + 1, WRITTEN]) {
      const answer = await version(offsets[number - 1]!);
      expect(answer.status).toBe(200);
      expect(textOf([new Uint8Array(await answer.arrayBuffer())])).toBe(lines(number));
    }
    expect((await version(offsets[DROPPED - 1]!)).status).toBe(410);
  });

  test("a document that was deleted leaves no snapshot to the next of its name", async () => {
    const { url } = await write(2 * EVERY);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(url, { method: "PUT" })).status).toBe(201);
    expect(await read(url, "-1", "")).toEqual({ updates: [], snapshots: [] });
  });
});
