// Shared documents over HTTP: the stock client of the Yjs protocol of Durable Streams, and what it never does.

import { once } from "node:events";
import { YjsProvider } from "@durable-streams/y-durable-streams";
import { describe, expect, onTestFinished, test } from "vitest";
import { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { docOf, framed, updatesOf, varUint } from "../harness/document.ts";
import { eventually } from "../harness/eventually.ts";
import { describeOwnServer, freshName, header, numbers, useOwnServer, useServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys, type Claims } from "../harness/ticket.ts";

const BYTES = { "content-type": "application/octet-stream" };

/** The update of one insertion by a client of its own. */
function insertion(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

const post = (document: string, body: Uint8Array<ArrayBuffer>, headers = {}) => fetch(document, { method: "POST", headers: { ...BYTES, ...headers }, body });
const bytes = async (answer: Response) => new Uint8Array(await answer.arrayBuffer());

/** Status and code, and the code of the Yjs protocol. */
async function code(answer: Response): Promise<string> {
  const problem = (await answer.json()) as { type: string; error: { code: string } };
  return `${answer.status} ${problem.type.split(":").at(-1)} ${problem.error.code}`;
}

/** A stock client with a document of its own, ended with the test. */
function connect(base: string, docId: string, headers: Record<string, string> = {}) {
  const doc = new Y.Doc();
  const awareness = new Awareness(doc);
  const provider = new YjsProvider({ doc, baseUrl: base, docId, awareness, headers });
  provider.on("error", () => {});
  onTestFinished(() => {
    provider.destroy();
    awareness.destroy();
  });
  const text = doc.getText("text");
  return { doc, awareness, provider, text, sees: (expected: string) => eventually(`the text is ${expected}`, async () => text.toString() === expected) };
}

const synced = ({ provider }: ReturnType<typeof connect>) => eventually("it is synced", async () => provider.synced);

describe("collab", () => {
  const server = useServer();
  const base = () => `${server.url}/collab`;

  test("what one client writes the others have, and one that comes later", async () => {
    const name = freshName();
    const [one, two] = [connect(base(), name), connect(base(), name)];
    await Promise.all([synced(one), synced(two)]);
    one.text.insert(0, "from one");
    await two.sees("from one");
    two.text.insert(8, ", from two");
    await one.sees("from one, from two");
    await connect(base(), name).sees("from one, from two");
  });

  test("clients that were cut off meet in the same text", async () => {
    const name = freshName();
    const [one, two] = [connect(base(), name), connect(base(), name)];
    await Promise.all([synced(one), synced(two)]);
    one.text.insert(0, "-");
    await two.sees("-");
    await two.provider.disconnect();
    one.text.insert(1, "right");
    await synced(one);
    // It ended its producer, which ends no document.
    await two.provider.connect();
    await two.sees("-right");
    two.text.insert(0, "left");
    await one.sees("left-right");
  });

  test("a client that leaves is gone for the others, and one that comes sees who is there", async () => {
    const name = freshName();
    const [one, two] = [connect(base(), name), connect(base(), name)];
    const nameOf = (seen: typeof one, other: typeof one) => (seen.awareness.getStates().get(other.awareness.clientID) as { name?: string } | undefined)?.name;
    await Promise.all([synced(one), synced(two)]);
    one.awareness.setLocalStateField("name", "Ann");
    await eventually("the other sees her", async () => nameOf(two, one) === "Ann");
    const late = connect(base(), name);
    await eventually("who comes late sees her", async () => nameOf(late, one) === "Ann");
    await one.provider.disconnect();
    await eventually("she is gone", async () => nameOf(two, one) === undefined && nameOf(late, one) === undefined);
    // None of it is in the log.
    const answer = await fetch(`${base()}/${name}`);
    expect((await bytes(answer)).length).toBe(0);
    expect(header(answer, "stream-next-offset")).toMatch(/_00000000000000$/);
  });

  test("both addresses of a document are one, and only PUT makes it", async () => {
    const name = freshName();
    const [plain, docs] = [`${base()}/${name}`, `${base()}/docs/${name}`];
    const missing = "404 channel-not-found DOCUMENT_NOT_FOUND";
    expect(await code(await fetch(docs))).toBe(missing);
    expect(await code(await post(docs, framed(insertion("a"))))).toBe(missing);
    expect(await code(await fetch(`${docs}?offset=snapshot`, { redirect: "manual" }))).toBe(missing);
    expect(await code(await post(`${docs}?awareness=default`, new Uint8Array([1, 2, 3])))).toBe(missing);
    expect((await fetch(docs, { method: "PUT" })).status).toBe(201);
    expect((await fetch(plain, { method: "PUT", headers: BYTES })).status).toBe(200);
    expect((await post(plain, framed(insertion("a")))).status).toBe(204);
    expect(await bytes(await fetch(docs))).toEqual(await bytes(await fetch(plain)));
  });

  test("a first PUT seeds the document, and the others take what is there", async () => {
    const document = `${base()}/${freshName()}`;
    const seeds = numbers(1, 5).map((number) => framed(insertion(`seed ${number}`)));
    const answers = await Promise.all(seeds.map((body) => fetch(document, { method: "PUT", headers: BYTES, body })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 201]);
    expect(updatesOf(await bytes(await fetch(document)))).toHaveLength(1);
  });

  test("what is no update is refused, and what brings nothing is not stored", async () => {
    const document = `${base()}/${freshName()}`;
    await fetch(document, { method: "PUT" });
    const update = insertion("text");
    const refused = "422 event-refused INVALID_REQUEST";
    for (const body of [update, framed(update.subarray(1)), framed(update, new Uint8Array([1])), new Uint8Array([...framed(update), 9]), new Uint8Array([255, 255, 255, 255, 15, 0])]) {
      expect(await code(await post(document, new Uint8Array(body)))).toBe(refused);
    }
    expect(await code(await post(document, framed(Y.encodeStateAsUpdateV2(docOf([update])))))).toBe(refused);
    expect((await post(document, framed(new Uint8Array([0, 0])))).status).toBe(204);
    // The client that ends its producer, and one that closes for good.
    expect((await post(document, new Uint8Array(), { "stream-closed": "true" })).status).toBe(204);
    expect((await bytes(await fetch(document))).length).toBe(0);
    expect((await post(document, framed(update), { "stream-closed": "true" })).status).toBe(204);
    expect((await post(document, framed(update))).status).toBe(204);
  });

  test("each position is a version, and the newest is the export", async () => {
    const name = freshName();
    const document = `${base()}/${name}`;
    await fetch(document, { method: "PUT" });
    const doc = new Y.Doc();
    const offsets: string[] = [];
    const lengths: number[] = [];
    for (const step of numbers(1, 6)) {
      const before = Y.encodeStateVector(doc);
      if (step === 5) doc.getText("text").delete(0, 4);
      else doc.getText("text").insert(0, `${step}`);
      offsets.push(header(await post(document, framed(Y.encodeStateAsUpdate(doc, before))), "stream-next-offset"));
      lengths.push(doc.getText("text").length);
    }
    const versions = (await (await fetch(`${base()}/-/versions/${name}`)).json()) as { offset: string; at: number; bytes: number }[];
    expect(versions.map(({ offset }) => offset)).toEqual(offsets);
    expect(versions.every(({ at, bytes }, index) => Math.abs(at - Date.now()) < 600_000 && bytes > (versions[index - 1]?.bytes ?? 0))).toBe(true);
    const textAt = async (query: string) => docOf([await bytes(await fetch(`${base()}/-/version/${name}${query}`))]).getText("text");
    for (const [index, offset] of offsets.entries()) expect((await textAt(`?at=${offset}`)).length).toBe(lengths[index]);
    expect((await textAt("")).toString()).toBe("6");
    expect(await code(await fetch(`${base()}/-/version/${name}?at=000000000001_00000000000001`))).toBe("404 event-not-found INVALID_REQUEST");
    expect(await code(await fetch(`${base()}/-/version/${freshName()}`))).toBe("404 channel-not-found DOCUMENT_NOT_FOUND");
  });

  test("a client that opens a large document reads one snapshot of it", async () => {
    const name = freshName();
    const document = `${base()}/${name}`;
    await fetch(document, { method: "PUT" });
    expect(header(await fetch(`${document}?offset=snapshot`, { redirect: "manual" }), "location")).toBe("?offset=-1");
    const doc = new Y.Doc();
    for (const step of numbers(1, 20)) {
      const before = Y.encodeStateVector(doc);
      // 20 KB: the thirteenth or fourteenth passes 256 KiB.
      doc.getText("text").insert(0, `${step} `.repeat(7_000));
      expect((await post(document, framed(Y.encodeStateAsUpdate(doc, before)))).status).toBe(204);
    }
    const found = await fetch(`${document}?offset=snapshot`, { redirect: "manual" });
    expect([found.status, header(found, "cache-control")]).toEqual([307, "private, max-age=5"]);
    const snapshot = await fetch(new URL(header(found, "location"), document));
    const rest = await fetch(`${document}?offset=${header(snapshot, "stream-next-offset")}`);
    const updates = [await bytes(snapshot), ...updatesOf(await bytes(rest))];
    expect(updates.length).toBeLessThan(12);
    // Whoever begins at the beginning gets it too, behind its length.
    expect(updatesOf(await bytes(await fetch(document))).length).toBe(updates.length);
    expect(docOf(updates).getText("text").toString()).toBe(doc.getText("text").toString());
    await connect(base(), name).sees(doc.getText("text").toString());
  });

  test("a client that offers our own frames gets them", { tags: ["websocket"] }, async () => {
    const document = `${base()}/${freshName()}`;
    await fetch(document, { method: "PUT" });
    const own = new WebSocket(document.replace(/^http/, "ws"), "tidewire.v1");
    const [{ data }] = await once(own, "message");
    expect(JSON.parse(data as string)).toMatchObject({ type: "hello" });
    own.close();
  });

  test("a named awareness stream is made, found and forgotten", async () => {
    const document = `${base()}/${freshName()}`;
    await fetch(document, { method: "PUT" });
    const ask = async (method: string, name: string) => (await fetch(`${document}?awareness=${name}`, { method })).status;
    expect([await ask("HEAD", "default"), await ask("HEAD", "cursors")]).toEqual([200, 404]);
    expect([await ask("PUT", "cursors"), await ask("PUT", "cursors"), await ask("GET", "cursors"), await ask("GET", "default")]).toEqual([201, 200, 200, 200]);
    expect([await ask("DELETE", "cursors"), await ask("DELETE", "cursors"), await ask("PATCH", "cursors")]).toEqual([204, 404, 405]);
    expect(await code(await fetch(`${document}?awareness=cursors`, { method: "GET" }))).toBe("404 awareness-not-found STREAM_NOT_FOUND");
    const large = new TextEncoder().encode(JSON.stringify("a".repeat(5_000)));
    const state = new Uint8Array([1, 7, 1, ...varUint(large.length), ...large]);
    expect(await code(await post(`${document}?awareness=default`, framed(state)))).toBe("413 event-too-large INVALID_REQUEST");
  });
});

describeOwnServer("collab with tickets", () => {
  const KEY = freshKey();
  const server = useOwnServer("collab", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(KEY) });
  const name = "letter";
  const bearer = (rights: Claims["rights"]) => ({ authorization: `Bearer ${mint(KEY, { aud: "collab", ch: name, rights })}` });

  test("a reader reads on, sees who is there and writes nothing", async () => {
    const base = `${server.url}/collab`;
    const document = `${base}/${name}`;
    expect(await code(await fetch(document, { method: "PUT", headers: bearer(["read"]) }))).toBe("403 access-denied INVALID_REQUEST");
    const writer = connect(base, name, bearer(["read", "publish", "presence"]));
    await synced(writer);
    writer.text.insert(0, "Dear reader");
    const reader = connect(base, name, bearer(["read"]));
    await reader.sees("Dear reader");
    writer.awareness.setLocalStateField("name", "Ann");
    await eventually("the reader sees her", async () => reader.awareness.getStates().has(writer.awareness.clientID));
    expect(await code(await post(document, framed(insertion("no")), bearer(["read"])))).toBe("403 access-denied INVALID_REQUEST");
    expect(await code(await fetch(document, { method: "DELETE", headers: bearer(["read", "publish"]) }))).toBe("403 access-denied INVALID_REQUEST");
    expect(await code(await fetch(document))).toBe("401 credential-missing INVALID_REQUEST");
    await writer.provider.disconnect();
    reader.provider.destroy();
    expect((await fetch(document, { method: "DELETE", headers: bearer(["manage"]) })).status).toBe(204);
  });
});
