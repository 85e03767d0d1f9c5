// Order and completeness: the client is cut again and again, and its application sees nothing of it.

import { expect, onTestFinished, test } from "vitest";
import { subscribe, type Transport } from "../../shared/client/src/index.ts";
import { eventually } from "../harness/eventually.ts";
import { offers } from "../harness/platform.ts";
import { Proxy } from "../harness/proxy.ts";
import { announcedSeed, between, pick, randomFrom, type Random } from "../harness/random.ts";
import { describeOwnServer, freshName, numbers, publish, publishAll, useOwnServer } from "../harness/suite.ts";

const EVENTS = 500;
const CUTS = 30;

const POSSIBLE: Transport[] = offers("websocket") ? ["websocket", "sse", "long-poll", "poll"] : ["sse", "long-poll", "poll"];

/** Transports of a subscription; `renew` gives those of the next subscription, which resumes from its offset after each cut. */
interface Way {
  over: string;
  transports?: Transport[];
  renew?: (random: Random) => Transport[];
}

const WAYS: Way[] = [
  { over: "whatever transport gets through" },
  { over: "SSE", transports: ["sse"] },
  { over: "long polls", transports: ["long-poll"] },
  { over: "short polls", transports: ["poll"] },
  { over: "one transport after the other", renew: (random) => [pick(random, POSSIBLE)] },
];

describeOwnServer("the client", () => {
  const server = useOwnServer("client-order");

  test.each(WAYS)(`gives ${EVENTS} events each once and in order over $over, cut ${CUTS} times`, { timeout: 120_000 }, async ({ transports, renew }) => {
    const random = randomFrom(announcedSeed());
    const name = freshName();
    const direct = `${server.url}/feed/${name}`;
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const got: unknown[] = [];
    const read = (over: Transport[] | undefined, offset: string) =>
      subscribe(`${proxy.url}/feed/${name}`, {
        ...(over && { transports: over }),
        offset,
        pollMs: 10,
        backoff: { baseMs: 5, capMs: 40 },
        onEvent: ({ data }) => got.push(data),
      });
    let subscription = read(transports, "-1");
    onTestFinished(() => subscription.close());

    let published = 0;
    const publishing = (async () => {
      while (published < EVENTS) {
        const size = Math.min(between(random, 1, 5), EVENTS - published);
        await publishAll(direct, numbers(published + 1, published + size));
        published += size;
        // A little ahead of the reader, so that it meets live events as well as history.
        const ahead = between(random, 0, 20);
        await eventually("the client keeps up", () => got.length >= published - ahead);
      }
    })();
    const cutting = (async () => {
      for (const cut of numbers(1, CUTS)) {
        // Somewhere in the cut's share of the events. A few bytes further is in the head of an answer or inside an event.
        const count = Math.floor((EVENTS * (cut - random())) / (CUTS + 1));
        await eventually(`${count} events are published`, () => published >= count);
        await proxy.cutAfter(between(random, 1, 300));
        if (!renew) continue;
        subscription.close();
        subscription = read(renew(random), subscription.offset);
      }
    })();
    await Promise.all([publishing, cutting]);
    // One more, so that an event which came twice at the end is seen too.
    const last = await publish(direct, EVENTS + 1);
    await eventually("the last event", () => got.at(-1) === EVENTS + 1);
    expect(got).toEqual(numbers(1, EVENTS + 1));
    expect(subscription.offset).toBe(last);
    expect(proxy.cuts).toBe(CUTS);
  });
});
