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
    let offset = "-1";
    let reader: Reader | undefined;

    /** Reads until the connection is cut, `bytes` bytes from now. */
    async function readUntilCut(transport: Transport, bytes: number): Promise<void> {
      const before = proxy.cuts;
      const cut = proxy.cutAfter(bytes);
      do {
        reader = read(transport, channel, offset);
        await Promise.race([cut, reader.ended]);
        // Between two polls there is no connection to cut.
        if (transport === "poll" || transport === "long-poll") reader.close();
        expect(await reader.ended).toMatch(/^broken|^closed 1006$/);
        received.push(...reader.events);
        offset = reader.offset;
        reader = undefined;
        // A pooled connection that the cut before killed may break only when it is used again: come back once more.
      } while (proxy.cuts === before);
      used.add(transport);
    }

    const publishing = (async () => {
      const direct = `${server.url}/feed/${name}`;
      for (let next = 1; next <= EVENTS; ) {
        const size = Math.min(between(random, 1, 5), EVENTS - next + 1);
        await publishAll(direct, numbers(next, next + size - 1));
        next += size;
        // No faster than the reader is cut, so that cuts fall on live events and not only on history; a reader that has
        // all there is waits for more bytes, so it gets them.
        const due = () => proxy.cuts >= CUTS || next <= (EVENTS * (proxy.cuts + 1)) / CUTS;
        await eventually("the reader keeps up", () => due() || received.length + (reader?.events.length ?? 0) >= next - 1);
      }
    })();

    let transport: Transport = pick(random, TRANSPORTS);
    for (let cut = 0; cut < CUTS; cut += 1) {
      // Answers carry some hundred bytes of headers: many cuts fall there, some in the middle of an event.
      await Promise.race([readUntilCut(transport, between(random, 1, 1_200)), publishing.then(() => new Promise(() => {}))]);
      transport = pick(random, TRANSPORTS.filter((other) => other !== transport));
    }
    await publishing;

    const last = read(transport, channel, offset);
    onTestFinished(() => last.close());
    await eventually("the reader reaches the tail", () => received.length + last.events.length >= EVENTS);
    // One more, so that an event which came twice at the end is seen too.
    await publish(`${server.url}/feed/${name}`, EVENTS + 1);
    await eventually("the reader has the last event", () => last.events.at(-1) === EVENTS + 1);
    received.push(...last.events);

    expect(received).toEqual(numbers(1, EVENTS + 1));
    expect(proxy.cuts).toBe(CUTS);
    expect([...used].sort()).toEqual([...TRANSPORTS].sort());
  });
});
