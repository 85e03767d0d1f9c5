// Shared documents while everything breaks: stock clients agree in the end, among themselves and with the export, and nothing acknowledged is missing.

import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { expect, onTestFailed, onTestFinished, test, vi } from "vitest";
import * as Y from "yjs";
import { docOf, framed } from "../harness/document.ts";
import { eventually } from "../harness/eventually.ts";
import { counters, recycle, residentBytes } from "../harness/host.ts";
import { offers, PLATFORM } from "../harness/platform.ts";
import { Proxy } from "../harness/proxy.ts";
import { announcedSeed, between, pick, randomFrom, type Random } from "../harness/random.ts";
import { inStore, storeFiles } from "../harness/store.ts";
import { describeOwnServer, freshName, header, numbers, useOwnServer } from "../harness/suite.ts";
import { HttpClient, PartyClient, RawClient, sized, WebsocketClient, type Client } from "../harness/y-client.ts";
import { base64, contentOf, turnOf } from "../harness/yjs.ts";

const BYTES = { "content-type": "application/octet-stream" };
const EVICTIONS = 4;
/** Without surrogates: Yjs replaces a pair that is split, and not in every document alike. */
const WORDS = ["a", "word ", "é", "。"];
/** Compactions happen all the time. */
const SNAPSHOT_EVENTS = 100;

const vectorOf = (doc: Y.Doc) => base64(Y.encodeStateVector(doc));
const versionOf = async (base: string, name: string) => docOf([new Uint8Array(await (await fetch(`${base}/-/version/${name}`)).arrayBuffer())]);

/** Randomness of its own, which a failing test names. */
function seeded(): Random {
  const seed = announcedSeed();
  onTestFailed(() => console.log(`failed with TIDEWIRE_SEED=${seed}`));
  return randomFrom(seed);
}

/** What providers say of a server that is down. */
function silence(): void {
  for (const method of ["warn", "error"] as const) {
    const spy = vi.spyOn(console, method).mockImplementation(() => {});
    onTestFinished(() => spy.mockRestore());
  }
}

/** All documents are in the same state, and the server's is too, also after it was killed. */
async function expectAgreement(server: ReturnType<typeof useOwnServer>, name: string, clients: Client[]): Promise<Y.Doc> {
  const base = `${server.url}/collab`;
  await eventually("all have the same state", async () => new Set(clients.map(({ doc }) => vectorOf(doc))).size === 1, 60_000);
  // A state vector says nothing of deletions, and the keys of a map have no order.
  await eventually("all have the same content", () => clients.every(({ doc }) => isDeepStrictEqual(contentOf(doc), contentOf(clients[0]!.doc))));
  const expected = contentOf(clients[0]!.doc);
  // The last updates of all may be on their way.
  await eventually("the export has it all", async () => vectorOf(await versionOf(base, name)) === vectorOf(clients[0]!.doc));
  await server.kill9();
  await server.restart();
  const exported = await versionOf(base, name);
  expect(contentOf(exported)).toEqual(expected);
  expect(vectorOf(exported)).toBe(vectorOf(clients[0]!.doc));
  return exported;
}

describeOwnServer("documents", () => {
  const server = useOwnServer("documents", { SNAPSHOT_EVENTS: String(SNAPSHOT_EVENTS), SNAPSHOT_BYTES: "1000000" });

  /** A proxy to the server, and SIGKILL of the server behind it. */
  async function start() {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const kill = async () => {
      await server.kill9();
      await server.restart();
      // What connected while the server started may wait for ever, and stock clients with it.
      proxy.cut();
    };
    return { proxy, kill, base: `${proxy.url}/collab`, name: freshName() };
  }

  test("20 stock clients and 2,000 edits under cuts, evictions and SIGKILL", { timeout: 120_000, tags: ["websocket"] }, async () => {
    const random = seeded();
    silence();
    const { proxy, kill, base, name } = await start();
    const clients = numbers(1, 20).map((number) => (number % 5 === 0 ? new PartyClient(base, name) : new WebsocketClient(base, name)));
    const allSynced = () => Promise.all(clients.map((client) => client.synced()));

    // Sends each number once, in an update of its own, and notes what the server says is durable.
    const acknowledged: number[] = [];
    let [isOver, isQuiet] = [false, false];
    const writing = (async () => {
      let number = 0;
      while (!isOver) {
        const raw = await RawClient.open(`${base}/${name}`);
        while (!isOver && raw.socket.readyState === WebSocket.OPEN) {
          await delay(50);
          if (isQuiet) continue;
          const doc = new Y.Doc();
          number += 1;
          doc.getArray("acknowledged").push([number]);
          raw.messages.length = 0;
          raw.send(0, 2, sized(Y.encodeStateAsUpdate(doc)));
          raw.send(102, 1, 1);
          const isDurable = () => raw.messages.some(([type]) => type === 102);
          await eventually("it is durable, or lost", () => raw.closed !== undefined || isDurable());
          if (isDurable()) acknowledged.push(number);
        }
        raw.socket.close();
        await delay(50);
      }
    })();

    const away = () => clients.filter((_, index) => index % 3 === 0);
    const faults = [
      () => proxy.cut(),
      // In the middle of what the server sends.
      () => void proxy.cutAfter(between(random, 100, 5_000)),
      () => away().forEach(({ provider }) => provider.disconnect()),
    ];
    for (const round of numbers(0, 19)) {
      await allSynced();
      if (round > 0 && round <= EVICTIONS) {
        // The runtime waits with an eviction as long as the object works, or knows of a connection that was cut: so these come first.
        isQuiet = true;
        await eventually("all is said", () => new Set(clients.map(({ doc }) => vectorOf(doc))).size === 1);
        await delay(200);
        await server.evict("CollabChannel", name, round % 2 === 0 ? "close" : "hibernate");
        isQuiet = false;
      }
      for (const edit of numbers(1, 100)) {
        turnOf(pick(random, clients).doc, random, WORDS);
        if (edit % 5 === 0) await delay(3);
        if (edit === 30 && round > EVICTIONS) await (round % 10 === 9 ? kill() : faults[round % faults.length]!());
      }
      for (const { provider } of away()) if (!provider.shouldConnect) await provider.connect();
    }
    isOver = true;
    await writing;
    const exported = await expectAgreement(server, name, clients);
    const kept = new Set(exported.getArray<number>("acknowledged").toArray());
    expect(acknowledged.filter((number) => !kept.has(number)), "acknowledged and lost").toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(5);
    const found = await fetch(`${server.url}/collab/${name}?offset=snapshot`, { redirect: "manual" });
    expect(found.headers.get("location")).toContain("_snapshot");
    console.log(`${server.wakes("CollabChannel")} wakes, ${proxy.cuts} cuts, ${proxy.connections} connections; ${acknowledged.length} acknowledged`);
    expect(proxy.connections).toBeGreaterThan(100);
  });

  test("8 stock clients and 400 edits over HTTP, under SIGKILL and instances that come and go", { timeout: 120_000 }, async () => {
    const random = seeded();
    silence();
    const { kill, base, name } = await start();
    const clients = numbers(1, 8).map(() => new HttpClient(base, name));
    await Promise.all(clients.map((client) => client.synced()));
    const post = (update: Uint8Array) => fetch(`${server.url}/collab/${name}`, { method: "POST", headers: BYTES, body: framed(update) });
    /** One more client, which sends each of its updates once and until it is acknowledged. No other sends any of them. */
    const acknowledged = (async () => {
      const doc = new Y.Doc();
      const list = doc.getArray<number>("acknowledged");
      for (const number of numbers(1, 60)) {
        const before = Y.encodeStateVector(doc);
        list.push([number]);
        while ((await post(Y.encodeStateAsUpdate(doc, before)).catch(() => undefined))?.status !== 204) await delay(50);
      }
      return list.toArray();
    })();
    for (const edit of numbers(1, 400)) {
      turnOf(pick(random, clients).doc, random, WORDS);
      if (edit % 4 === 0) await delay(20);
      if (edit % 50 === 0 && offers("host-counters")) await recycle(server);
      if (edit === 250) await kill();
    }
    // The stock client drops what it could not send, and does not return by itself: its page does both.
    await eventually("all are back", async () => {
      for (const { provider } of clients) if (!provider.connected) await provider.connect();
      return clients.every(({ provider }) => provider.connected);
    });
    // Before anything is sent again.
    const all = await acknowledged;
    expect((await versionOf(`${server.url}/collab`, name)).getArray("acknowledged").toArray()).toEqual(all);
    const sendAll = async () => {
      for (const { doc } of clients) expect((await post(Y.encodeStateAsUpdate(doc))).status).toBe(204);
    };
    await sendAll();
    await expectAgreement(server, name, clients);
    const offset = async () => header(await fetch(`${server.url}/collab/${name}`, { method: "HEAD" }), "stream-next-offset");
    // Yjs tidies up formats while it applies what others wrote, which is news once.
    await eventually("nothing of it is new", async () => {
      const before = await offset();
      await sendAll();
      return (await offset()) === before;
    });
  });
});

/** What an object has on Workers. */
const MEMORY = 128 * 2 ** 20;

/** What the runtime has on Workers now. An instance of Spin begins with nothing. */
const memoryBefore = (server: ReturnType<typeof useOwnServer>) => (PLATFORM === "workers" ? residentBytes(server) : 0);

/** What the runtime has taken since, or an instance at most; the real Spin does not say it. */
async function memorySince(server: ReturnType<typeof useOwnServer>, before: number): Promise<number> {
  if (PLATFORM === "workers") return residentBytes(server) - before;
  return offers("host-counters") ? (await counters(server)).memory_bytes : 0;
}

describeOwnServer("a document of a megabyte", () => {
  const UPDATES = 100_000;
  const BATCH = 100;
  const EVERY = 500;
  const server = useOwnServer("large-document", { SNAPSHOT_EVENTS: String(EVERY) });

  test("of 100,000 updates opens with a bounded number of rows and bytes, and its snapshot is smaller than its log", { timeout: 120_000, tags: ["sqlite"] }, async () => {
    const random = seeded();
    const [base, name] = [`${server.url}/collab`, freshName()];
    await fetch(`${base}/${name}`, { method: "PUT" });
    let before = memoryBefore(server);
    const doc = new Y.Doc();
    const text = doc.getText("text");
    let updates: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => updates.push(update));
    let place = 0;
    for (const number of numbers(1, UPDATES)) {
      // People write where they wrote before, and now and then elsewhere.
      if (number % 100 === 0) place = between(random, 0, text.length);
      text.insert(place, "ten bytes.");
      place += 10;
      if (number % BATCH > 0) continue;
      expect((await fetch(`${base}/${name}`, { method: "POST", headers: BYTES, body: framed(...updates) })).status).toBe(204);
      updates = [];
    }
    const writing = await memorySince(server, before);
    await server.kill9();
    const [file] = storeFiles(server);
    const count = (sql: string) => inStore(file!, (database) => Number(Object.values(database.prepare(sql).get()!)[0]));
    const newest = "(SELECT max(seq) FROM snapshots)";
    const parts = count(`SELECT count(*) FROM snapshots WHERE seq = ${newest}`);
    const after = count(`SELECT count(*) FROM events WHERE seq > ${newest}`);
    const [log, snapshot] = [count("SELECT sum(length(data)) FROM events"), count(`SELECT sum(length(data)) FROM snapshots WHERE seq = ${newest}`)];
    expect(parts).toBeLessThanOrEqual(2);
    expect(after).toBeLessThanOrEqual(EVERY);
    expect(snapshot).toBeGreaterThan(UPDATES * 9);
    expect(snapshot).toBeLessThan(log);
    await server.restart();
    before = memoryBefore(server);
    const start = performance.now();
    const client = PLATFORM === "workers" ? new WebsocketClient(base, name) : new HttpClient(base, name);
    await client.synced();
    const tookMs = (performance.now() - start).toFixed(0);
    expect(client.text.toString()).toBe(text.toString());
    const opening = await memorySince(server, before);
    expect(Math.max(writing, opening)).toBeLessThan(MEMORY);
    const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
    console.log(`memory: ${megabytes(writing)} for writing, ${megabytes(opening)} for opening`);
    console.log(`${UPDATES} updates, log ${log} bytes, snapshot ${snapshot} in ${parts} rows, ${after} rows after it; open in ${tookMs} ms`);
  });
});
