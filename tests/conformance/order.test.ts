// Order and completeness: a reader that is cut again and again, and comes back on another transport each time, misses nothing.

import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { announcedSeed, between, pick, randomFrom } from "../harness/random.ts";
import { read, TRANSPORTS, type Reader, type Transport } from "../harness/readers.ts";
import { describeOwnServer, freshName, numbers, publish, publishAll, useOwnServer } from "../harness/suite.ts";

const EVENTS = 2_000;
const CUTS = 50;

describeOwnServer("order", () => {
  const server = useOwnServer("order");

  test(`${EVENTS} events reach a reader that is cut ${CUTS} times and changes transport, each once and in order`, { timeout: 180_000 }, async () => {
    const random = randomFrom(announcedSeed());
    const name = freshName();
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const channel = `${proxy.url}/feed/${name}`;

    const received: unknown[] = [];
    const used = new Set<Transport>();
    let published = 0;
    let offset = "-1";
    let reader: Reader | undefined;
    let isOver = false;

    /** How many events were received; throws once one is missing, doubled or out of order, which is when the newest is not the count. */
    function inOrder(): number {
      const count = received.length + (reader?.events.length ?? 0);
      const newest = reader?.events.at(-1) ?? received.at(-1) ?? 0;
      if (newest !== count) throw new Error(`event ${newest} came as number ${count}`);
      return count;
    }

    const publishing = (async () => {
      const direct = `${server.url}/feed/${name}`;
      while (published < EVENTS) {
        const size = Math.min(between(random, 1, 5), EVENTS - published);
        await publishAll(direct, numbers(published + 1, published + size));
        published += size;
        // A little ahead of the reader, so that it meets live events as well as history.
        const ahead = between(random, 0, 20);
        await eventually("the reader keeps up", () => inOrder() >= published - ahead);
      }
    })();

    function take(): void {
      received.push(...reader!.events);
      offset = reader!.offset;
      reader = undefined;
    }

    /** Reads until `count` events are published, and on until `bytes` more bytes came through; there the connection is cut. */
    async function readUntilCut(transport: Transport, count: number, bytes: number): Promise<void> {
      const before = proxy.cuts;
      const due = eventually(`${count} events are published`, () => published >= count);
      const cut = due.then(() => proxy.cutAfter(bytes));
      do {
        reader = read(transport, channel, offset);
        await Promise.race([cut, reader.ended]);
        // Between two polls there is no connection to cut.
        if (transport === "poll" || transport === "long-poll") reader.close();
        expect(await reader.ended).toMatch(/^broken|^closed 1006$/);
        take();
        // A pooled connection that the cut before killed may break only when it is used again: come back once more.
      } while (proxy.cuts === before);
      used.add(transport);
    }

    const reading = (async () => {
      let transport: Transport = pick(random, TRANSPORTS);
      for (const cut of numbers(1, CUTS)) {
        // Somewhere in the cut's share of the events. A few bytes further is in the head of an answer or inside an event.
        const count = Math.floor((EVENTS * (cut - random())) / (CUTS + 1));
        await readUntilCut(transport, count, between(random, 1, 300));
        transport = pick(random, TRANSPORTS.filter((other) => other !== transport));
      }
      while (!isOver) {
        // Comes back for the same reason as above.
        reader = read(transport, channel, offset);
        await reader.ended;
        take();
      }
    })();

    onTestFinished(() => reader?.close());
    await publishing;
    await eventually("the reader reaches the tail", () => inOrder() >= EVENTS);
    // One more, so that an event which came twice at the end is seen too.
    await publish(`${server.url}/feed/${name}`, EVENTS + 1);
    await eventually("the reader has the last event", () => inOrder() >= EVENTS + 1);
    isOver = true;
    reader!.close();
    await reading;

    expect(received).toEqual(numbers(1, EVENTS + 1));
    expect(proxy.cuts).toBe(CUTS);
    expect([...used].sort()).toEqual([...TRANSPORTS].sort());
  });
});
