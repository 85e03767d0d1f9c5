// Shared documents over WebSocket: the stock clients of y-websocket and y-partyserver, beside that of HTTP, and what they never send.

import { expect, onTestFinished, test, vi } from "vitest";
import { encodeAwarenessUpdate } from "y-protocols/awareness";
import * as Y from "yjs";
import { framed, updatesOf, varUint } from "../harness/document.ts";
import { eventually } from "../harness/eventually.ts";
import { describeOwnServer, freshName, header, numbers, useOwnServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys, type Claims } from "../harness/ticket.ts";
import { HttpClient, PartyClient, RawClient, sized, WebsocketClient } from "../harness/y-client.ts";

const BYTES = { "content-type": "application/octet-stream" };
const SOCKETS = { tags: ["websocket"] };

/** The update of one insertion by a client of its own. */
function insertion(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

const bytes = async (answer: Response) => new Uint8Array(await answer.arrayBuffer());

describeOwnServer("y-websocket", () => {
  const server = useOwnServer("y-websocket", { MAX_BODY_BYTES: "100000" });
  const base = () => `${server.url}/collab`;
  const updates = async (name: string) => updatesOf(await bytes(await fetch(`${base()}/${name}`)));

  test("three stock clients edit one document, each over its own wire", SOCKETS, async () => {
    const name = freshName();
    const socket = await new WebsocketClient(base(), name).synced();
    // A look makes no document.
    expect((await fetch(`${base()}/${name}`)).status).toBe(404);
    socket.text.insert(0, "socket");
    await eventually("the document exists", async () => (await fetch(`${base()}/${name}`)).status === 200);
    const party = await new PartyClient(base(), name).synced();
    const http = await new HttpClient(base(), name).synced();
    expect([party.text.toString(), http.text.toString()]).toEqual(["socket", "socket"]);
    party.text.insert(6, ", party");
    await Promise.all([socket.sees("socket, party"), http.sees("socket, party")]);
    http.text.insert(13, ", http");
    await Promise.all([socket.sees("socket, party, http"), party.sees("socket, party, http")]);
    // A late client gets all of it in one answer.
    await new WebsocketClient(base(), name).sees("socket, party, http");
    expect(await updates(name)).toHaveLength(3);
  });

  test("everyone sees who is there, over both wires, a late client at once, and who left", SOCKETS, async () => {
    const name = freshName();
    const socket = await new WebsocketClient(base(), name).synced();
    socket.text.insert(0, ".");
    const party = await new PartyClient(base(), name).synced();
    const http = await new HttpClient(base(), name).synced();
    const all = { socket, party, http };
    for (const [own, client] of Object.entries(all)) client.awareness.setLocalStateField("name", own);
    const seenBy = (one: WebsocketClient | PartyClient | HttpClient) => Object.fromEntries(Object.entries(all).map(([own, client]) => [own, one.nameOf(client)]));
    const everyone = { socket: "socket", party: "party", http: "http" };
    for (const client of Object.values(all)) await eventually("it sees everyone", () => JSON.stringify(seenBy(client)) === JSON.stringify(everyone));
    // The object sleeps, and knows them still.
    const late = await server.evict("CollabChannel", name).then(() => new WebsocketClient(base(), name).synced());
    await eventually("the late client sees everyone", () => JSON.stringify(seenBy(late)) === JSON.stringify(everyone));
    party.provider.destroy();
    socket.provider.ws!.close();
    for (const client of [late, http]) await eventually("both are gone", () => client.nameOf(party) === undefined);
    await http.provider.disconnect();
    await eventually("http is gone", () => late.nameOf(http) === undefined);
    expect(await updates(name)).toHaveLength(1);
  });

  test("clients that were cut off meet in the same text, and send again nothing that is known", SOCKETS, async () => {
    const name = freshName();
    const [one, two] = [await new WebsocketClient(base(), name).synced(), await new WebsocketClient(base(), name).synced()];
    one.text.insert(0, "-gone-");
    await two.sees("-gone-");
    one.text.delete(1, 4);
    await two.sees("--");
    for (const client of [one, two]) client.provider.disconnect();
    one.text.insert(1, "right");
    two.text.insert(0, "left");
    for (const client of [one, two]) client.provider.connect();
    await Promise.all([one.sees("left-right-"), two.sees("left-right-")]);
    const stored = (await updates(name)).length;
    // Each sends all deletions, since a state vector says nothing of them.
    for (const how of ["hibernate", "close"] as const) {
      const before = one.connections;
      await fetch(`${base()}/${name}`, { method: "HEAD" });
      await server.evict("CollabChannel", name, how);
      if (how === "close") await eventually("it is back", () => one.connections > before && one.provider.synced && two.provider.synced);
    }
    const raw = await RawClient.open(`${base()}/${name}`);
    const whole = Y.encodeStateAsUpdate(one.doc);
    raw.send(0, 1, sized(whole));
    await raw.settled();
    expect((await fetch(`${base()}/${name}`, { method: "POST", headers: BYTES, body: framed(whole) })).status).toBe(204);
    expect(await updates(name)).toHaveLength(stored);
    expect(raw.messages.filter(([type, step]) => type === 0 && step === 2)).toEqual([]);
    one.text.insert(0, "both: ");
    await two.sees("both: left-right-");
  });

  test("an answer has what the client lacks and no more, from a snapshot and the events after it", SOCKETS, async () => {
    const name = freshName();
    const doc = new Y.Doc();
    const raw = await RawClient.open(`${base()}/${name}`);
    expect(await raw.first(0, 0)).toEqual(new Uint8Array([0, 0, 1, 0]));
    const words: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => words.push(update));
    // 20 KB each: there is a snapshot after 256 KiB.
    for (const step of numbers(1, 20)) doc.getText("text").insert(0, `${step} `.repeat(7_000));
    for (const word of words) raw.send(0, 2, sized(word));
    await raw.settled();
    expect((await fetch(`${base()}/${name}?offset=snapshot`, { redirect: "manual" })).headers.get("location")).toContain("_snapshot");
    const asked = async (peer: Y.Doc) => {
      const client = await RawClient.open(`${base()}/${name}`);
      client.send(0, 0, sized(Y.encodeStateVector(peer)));
      const answer = await client.first(0, 1);
      const update = updatesOf(answer.subarray(2))[0]!;
      Y.applyUpdate(peer, update);
      expect(peer.getText("text").toString()).toBe(doc.getText("text").toString());
      return update.length;
    };
    for (const how of ["awake", "asleep"]) {
      if (how === "asleep") await server.evict("CollabChannel", name);
      const behind = new Y.Doc();
      for (const word of words.slice(0, 19)) Y.applyUpdate(behind, word);
      expect(await asked(new Y.Doc())).toBeGreaterThan(350_000);
      expect(await asked(behind)).toBeLessThan(22_000);
      expect(await asked(behind)).toBe(2);
    }
  });

  test("what is not valid ends its client alone, with a reason, and nothing of it is stored", SOCKETS, async () => {
    const name = freshName();
    const other = await new WebsocketClient(base(), name).synced();
    const update = insertion("text");
    const refused = async (code: number, reason: string, ...message: (number | Uint8Array)[]) => {
      const client = await RawClient.open(`${base()}/${name}`);
      client.send(...message);
      // Nothing after it is carried out.
      client.send(0, 2, sized(insertion("never")));
      expect(await client.end()).toEqual({ code, reason });
      const denied = await client.first(2, 0);
      expect(new TextDecoder().decode(denied.subarray(3))).toContain(reason);
      expect(client.texts).toBe(0);
    };
    await refused(4400, "frame-invalid", new Uint8Array());
    await refused(4400, "frame-invalid", 9, 1, 0);
    await refused(4400, "frame-invalid", 0, 0, 200);
    await refused(4400, "frame-invalid", 0, 0, 2, 1, 7);
    await refused(4400, "event-refused", 0, 2, sized(update.subarray(1)));
    await refused(4400, "event-refused", 0, 1, sized(Y.encodeStateAsUpdateV2(other.doc)));
    await refused(4413, "body-too-large", 0, 2, sized(new Uint8Array(100_000)));
    const text = await RawClient.open(`${base()}/${name}`);
    text.socket.send("__YPS:hello");
    await text.settled();
    expect((await fetch(`${base()}/${name}`)).status).toBe(404);
    other.text.insert(0, "undisturbed");
    await new HttpClient(base(), name).sees("undisturbed");
    expect(other.connections).toBe(1);
  });

  test("a client speaks for itself alone, and too large a state is denied", SOCKETS, async () => {
    const name = freshName();
    const [one, two] = [await new WebsocketClient(base(), name).synced(), await new WebsocketClient(base(), name).synced()];
    one.awareness.setLocalStateField("name", "Ann");
    two.awareness.setLocalStateField("name", "Ben");
    await eventually("both see each other", () => one.nameOf(two) === "Ben" && two.nameOf(one) === "Ann");
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    onTestFinished(() => warned.mockRestore());
    // What every stock client does when it hears nothing of another one for 30 s.
    const gone = encodeAwarenessUpdate(one.awareness, [two.awareness.clientID], new Map());
    one.provider.ws!.send(new Uint8Array([1, ...sized(gone)]));
    one.awareness.setLocalStateField("name", "A".repeat(5_000));
    await eventually("it warns", () => warned.mock.calls.some(([text]) => String(text).includes("at most 4096 bytes")));
    one.awareness.setLocalStateField("name", "Ann again");
    await eventually("the next state comes", () => two.nameOf(one) === "Ann again");
    const late = await new WebsocketClient(base(), name).synced();
    await eventually("Ben is still there", () => late.nameOf(two) === "Ben" && late.nameOf(one) === "Ann again");
    const raw = await RawClient.open(`${base()}/${name}`);
    raw.send(3);
    expect((await raw.first(1)).length).toBeGreaterThan(10);
  });

  test("the end of a document is told, and a stock client stops", SOCKETS, async () => {
    const name = freshName();
    const client = await new WebsocketClient(base(), name).synced();
    client.text.insert(0, "gone");
    await eventually("it is stored", async () => (await fetch(`${base()}/${name}`)).status === 200);
    expect((await fetch(`${base()}/${name}`, { method: "DELETE" })).status).toBe(204);
    await eventually("it is closed", () => client.closed !== undefined);
    expect(client.closed).toEqual({ code: 4404, reason: "channel-deleted" });
    const bad = new WebsocketClient(base(), "-no-name");
    await eventually("a bad name is refused", () => bad.closed !== undefined);
    expect(bad.closed).toEqual({ code: 4400, reason: "channel-name-invalid" });
  });
});

describeOwnServer("crowds", () => {
  const server = useOwnServer("y-websocket-crowd", { PRESENCE_MAX_MEMBERS: "100" });

  test("of ten thousand peers a hundred are kept, and the others are told", { tags: ["sqlite"], timeout: 120_000 }, async () => {
    const document = `${server.url}/collab/${freshName()}`;
    const post = (address: string, body: Uint8Array<ArrayBuffer>) => fetch(address, { method: "POST", headers: BYTES, body });
    expect((await fetch(document, { method: "PUT", headers: BYTES })).status).toBe(201);
    const answers = new Map<number, number>();
    for (let first = 1; first <= 10_000; first += 20) {
      const states = numbers(first, first + 19).flatMap((client) => [...varUint(client), 1, ...sized(new TextEncoder().encode('{"crowd":1}'))]);
      const { status } = await post(`${document}?awareness=default`, framed(new Uint8Array([20, ...states])));
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
    expect(Object.fromEntries(answers)).toEqual({ 204: 5, 429: 495 });
    expect(server.rows(/awarenessClock/)).toHaveLength(100);
    // Who is there can still move and edit.
    expect((await post(`${document}?awareness=default`, framed(new Uint8Array([1, 7, 2, 2, 123, 125])))).status).toBe(204);
    expect((await post(document, framed(insertion("!")))).status).toBe(204);
  });
});

describeOwnServer("peers that vanish", () => {
  const server = useOwnServer("y-websocket-lease", { PRESENCE_LEASE_MS: "3000" });
  const base = () => `${server.url}/collab`;
  /** The awareness update of one client. */
  const here = (client: number, clock: number) => new Uint8Array([1, client, clock, ...sized(new TextEncoder().encode("{}"))]);

  test("by HTTP are gone with their lease", async () => {
    const name = freshName();
    const watching = await new HttpClient(base(), name).synced();
    watching.text.insert(0, ".");
    await eventually("the document exists", async () => (await fetch(`${base()}/${name}`)).status === 200);
    const said = await fetch(`${base()}/${name}?awareness=default`, { method: "POST", headers: BYTES, body: framed(here(7, 1)) });
    expect(said.status).toBe(204);
    await eventually("it is seen", () => watching.awareness.getStates().has(7));
    await eventually("it is gone", () => !watching.awareness.getStates().has(7));
  });

  test("by WebSocket are gone with their lease once they have renewed it, although the socket is open", SOCKETS, async () => {
    const name = freshName();
    const watching = await new WebsocketClient(base(), name).synced();
    const [silent, still] = [await RawClient.open(`${base()}/${name}`), await RawClient.open(`${base()}/${name}`)];
    const says = (socket: RawClient, client: number, clock: number) => socket.send(1, ...sized(here(client, clock)));
    const seen = (client: number) => watching.awareness.getStates().has(client);
    says(still, 8, 1);
    says(silent, 7, 1);
    await eventually("both are seen", () => seen(7) && seen(8));
    says(silent, 7, 2);
    await silent.settled();
    await eventually("the silent one is gone", () => !seen(7));
    expect(seen(8), "clients of y-partyserver renew nothing").toBe(true);
    expect(silent.closed).toBeUndefined();
    says(silent, 7, 3);
    await eventually("it speaks again, and is back", () => seen(7));
  });
});

describeOwnServer("y-websocket with tickets", () => {
  const KEY = freshKey();
  const server = useOwnServer("y-websocket-tickets", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(KEY) });
  const base = () => `${server.url}/collab`;
  const ticket = (rights: Claims["rights"], more: Partial<Claims> = {}) => mint(KEY, { aud: "collab", ch: "letter", rights, ...more });

  test("a reader reads on, and learns on its console that it may not write", SOCKETS, async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    onTestFinished(() => warned.mockRestore());
    const writer = await new WebsocketClient(base(), "letter", { ticket: ticket(["read", "publish", "presence"]) }).synced();
    writer.text.insert(0, "Dear reader");
    const reader = await new WebsocketClient(base(), "letter", { ticket: ticket(["read"]) }).synced();
    await reader.sees("Dear reader");
    writer.awareness.setLocalStateField("name", "Ann");
    await eventually("the reader sees her", () => reader.nameOf(writer) === "Ann");
    expect(warned).not.toHaveBeenCalled();
    reader.text.insert(0, "no: ");
    await eventually("it warns", () => warned.mock.calls.some(([text]) => String(text).includes("access-denied")));
    writer.text.insert(11, ", hello");
    await reader.sees("no: Dear reader, hello");
    const letter = await fetch(`${base()}/letter?ticket=${ticket(["read"])}`);
    expect(updatesOf(await bytes(letter))).toHaveLength(2);
    expect(header(letter, "stream-next-offset")).toMatch(/2$/);
    expect(reader.connections).toBe(1);
  });

  test("access that is missing, expired or revoked ends a stock client for good", SOCKETS, async () => {
    const closed = async (client: WebsocketClient) => {
      await eventually("it is closed", () => client.closed !== undefined);
      return client.closed;
    };
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    onTestFinished(() => warned.mockRestore());
    expect(await closed(new WebsocketClient(base(), "letter"))).toEqual({ code: 4403, reason: "credential-missing" });
    expect(await closed(new WebsocketClient(base(), "other", { ticket: ticket(["read"]) }))).toEqual({ code: 4403, reason: "access-denied" });
    const revoked = await new WebsocketClient(base(), "letter", { ticket: ticket(["read", "publish"], { jti: "one" }) }).synced();
    const expiring = new WebsocketClient(base(), "letter", { ticket: ticket(["read", "publish"], { exp: Math.floor(Date.now() / 1000) + 3 }) });
    const answer = await fetch(`${base()}/-/revoke/letter?ticket=${ticket(["manage"])}`, { method: "POST", body: JSON.stringify({ ticket: "one" }) });
    expect(answer.status).toBe(204);
    expect(await closed(revoked)).toEqual({ code: 4403, reason: "access-denied" });
    expect(await closed(expiring)).toEqual({ code: 4401, reason: "credential-expired" });
  });
});
