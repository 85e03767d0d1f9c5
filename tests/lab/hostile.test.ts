// Hostile clients of shared documents: thousands of messages on each wire that no client of Yjs should send. Beside them two stock clients edit on; `shared/yjs/tests/hostile.rs` gives a hundred thousand to the codec alone.

import { isDeepStrictEqual } from "node:util";
import { expect, onTestFailed, test } from "vitest";
import { docOf, framed, updatesOf } from "../harness/document.ts";
import { eventually } from "../harness/eventually.ts";
import { counters, residentBytes } from "../harness/host.ts";
import { hostileAwareness, hostileMessage, hostileUpdate } from "../harness/hostile.ts";
import { offers } from "../harness/platform.ts";
import { announcedSeed, between, randomFrom, type Random } from "../harness/random.ts";
import { describeOwnServer, freshName, numbers, useOwnServer } from "../harness/suite.ts";
import { HttpClient, RawClient, WebsocketClient } from "../harness/y-client.ts";
import { contentOf } from "../harness/yjs.ts";

const BYTES = { "content-type": "application/octet-stream" };
/** Each gets as much; what a server needs once, it has after the first. */
const DOCUMENTS = 3;
/** Batches for a document, and clients that send at once. */
const [BATCHES, TOGETHER] = [10, 16];
/** Requests of a client in a batch, and messages of a socket. */
const [REQUESTS, MESSAGES] = [2, 12];
/** Growth from the second document on, most of which is the runtime's own. */
const MEMORY = 48 * 2 ** 20;

const post = (address: string, body: Uint8Array<ArrayBuffer>) => fetch(address, { method: "POST", headers: BYTES, body });
const bytes = async (address: string) => new Uint8Array(await (await fetch(address)).arrayBuffer());

describeOwnServer("hostile clients", () => {
  const server = useOwnServer("hostile");
  const base = () => `${server.url}/collab`;
  let documents = 0;

  /** Runs batches of attacks at documents on which two stock clients work. */
  async function besides(Client: typeof WebsocketClient | typeof HttpClient, attack: (document: string, random: Random) => Promise<void>): Promise<void> {
    const seed = announcedSeed();
    onTestFailed(() => console.log(`failed with TIDEWIRE_SEED=${seed}`));
    let [before, attacks] = [0, 0];
    for (const document of numbers(1, DOCUMENTS)) {
      // Attacks run at the same time: each has numbers of its own.
      await undisturbed(Client, (address) => attack(address, randomFrom(seed + (attacks += 1))));
      if (document === 1) before = residentBytes(server);
    }
    const growth = residentBytes(server) - before;
    console.log(`${(growth / 2 ** 20).toFixed(1)} MB more than after the first document`);
    expect(growth).toBeLessThan(MEMORY);
    // A trap would have made an object twice, or ended an instance.
    if (offers("durable-objects")) expect(server.wakes("CollabChannel")).toBe(documents);
    if (offers("host-counters")) expect((await counters(server)).traps).toBe(0);
  }

  async function undisturbed(Client: typeof WebsocketClient | typeof HttpClient, attack: (document: string) => Promise<void>): Promise<void> {
    const name = freshName();
    const document = `${base()}/${name}`;
    documents += 1;
    const [writer, reader] = [await new Client(base(), name).synced(), await new Client(base(), name).synced()];
    const [said, heard] = [writer, reader].map(({ doc }) => doc.getArray<number>("said"));
    for (const batch of numbers(1, BATCHES)) {
      const attacked = Promise.all(numbers(1, TOGETHER).map(() => attack(document)));
      said!.push([batch]);
      await eventually("the reader has it", () => heard!.length === batch);
      await attacked;
    }
    const expected = () => contentOf(writer.doc);
    await eventually("both have the same", () => isDeepStrictEqual(contentOf(reader.doc), expected()));
    await eventually("so has the export", async () => isDeepStrictEqual(contentOf(docOf([await bytes(`${base()}/-/version/${name}`)])), expected()));
    // npm `yjs` reads each that was stored.
    const stored = docOf(updatesOf(await bytes(document)));
    expect(contentOf(stored)).toEqual(expected());
    for (const doc of [stored, reader.doc]) expect(doc.getArray("said").toArray()).toEqual(numbers(1, BATCHES));
    if (writer instanceof WebsocketClient && reader instanceof WebsocketClient) expect([writer.connections, reader.connections]).toEqual([1, 1]);
    for (const { provider } of [writer, reader]) await provider.disconnect();
    // Nothing of it wakes its object while the next is attacked.
    expect((await fetch(document, { method: "DELETE" })).status).toBe(204);
  }

  test("over HTTP: nothing that is not valid is stored, and nobody is disturbed", { timeout: 120_000 }, async () => {
    let [requests, sent, read] = [0, 0, 0];
    const answers = new Map<number, number>();
    await besides(HttpClient, async (document, random) => {
      for (const _ of numbers(1, REQUESTS)) {
        const isAwareness = random() < 0.2;
        const frames = numbers(1, between(random, 1, 12)).map(() => (isAwareness ? hostileAwareness(random) : hostileUpdate(random)));
        const whole = framed(...frames);
        const body = random() < 0.1 ? whole.subarray(0, between(random, 1, whole.length)) : whole;
        const answer = await post(isAwareness ? `${document}?awareness=default` : document, body);
        requests += 1;
        sent += frames.length;
        answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
        const text = await answer.text();
        // What comes after the first fault is not read.
        const fault = answer.status === 422 ? Number(/byte (\d+)/.exec(text)![1]) : Infinity;
        let at = 0;
        read += frames.filter((frame) => (at += framed(frame).length) - framed(frame).length <= fault).length;
        expect([204, 413, 422, 429], text).toContain(answer.status);
      }
    });
    console.log(`${requests} requests with ${sent} messages, ${read} of them read: ${JSON.stringify(Object.fromEntries(answers))}`);
    expect(answers.get(204)).toBeGreaterThan(requests / 10);
    expect(answers.get(422)).toBeGreaterThan(requests / 10);
  });

  test("over y-websocket: a message that is not valid ends its sender alone", { timeout: 120_000, tags: ["websocket"] }, async () => {
    let [sockets, sent, ended] = [0, 0, 0];
    await besides(WebsocketClient, async (document, random) => {
      const client = await RawClient.open(document);
      sockets += 1;
      // What comes after the first fault is not carried out.
      const messages = numbers(1, between(random, 1, MESSAGES)).map(() => hostileMessage(random));
      for (const message of messages) client.send(message);
      sent += messages.length;
      // A counter that no other message has.
      client.send(102, 7, 1, 2, 3, 4, 5, 6, 7);
      await eventually("it answers or closes", () => client.closed !== undefined || client.messages.some(({ length, 0: type }) => type === 102 && length === 9));
      expect(client.texts).toBe(0);
      if (client.closed) {
        ended += 1;
        expect([4400, 4413], client.closed.reason).toContain(client.closed.code);
      }
      client.socket.close();
    });
    console.log(`${sent} messages on ${sockets} sockets, of which ${ended} were ended`);
    expect(ended).toBeGreaterThan(sockets / 10);
    expect(ended).toBeLessThan(sockets);
  });
});
