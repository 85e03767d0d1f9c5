// Idempotent producers that repeat, overtake and fence off each other, through crashes of the server: every event is stored once, and in order.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { trap } from "../harness/host.ts";
import { offers } from "../harness/platform.ts";
import { announcedSeed, between, randomFrom } from "../harness/random.ts";
import { describeOwnServer, freshName, header, numbers, useOwnServer } from "../harness/suite.ts";

const PRODUCERS = 50;
const EPOCHS = 2;
const EVENTS = 10;
const TOTAL = PRODUCERS * EPOCHS * EVENTS;

describeOwnServer("producers", () => {
  const server = useOwnServer("producers");

  test(`${PRODUCERS} producers store each event once, whatever is repeated, lost, out of turn or fenced off`, { timeout: 180_000 }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const random = randomFrom(announcedSeed());
    let done = 0;
    const seen = { stored: 0, duplicates: 0, gaps: 0, fenced: 0, lost: 0 };

    /** Sends until there is an answer: one that is lost, or that a crash made, says nothing of what was stored. */
    async function append(id: number, epoch: number, seq: number): Promise<Response> {
      for (;;) {
        const answer = await fetch(channel, {
          method: "POST",
          headers: { "content-type": "application/json", "producer-id": `p${id}`, "producer-epoch": String(epoch), "producer-seq": String(seq) },
          body: JSON.stringify([[id, epoch, seq]]),
        }).catch(() => undefined);
        if (answer && answer.status < 500) return answer;
        seen.lost += 1;
        await delay(between(random, 50, 300));
      }
    }

    async function produce(id: number): Promise<void> {
      for (const epoch of numbers(0, EPOCHS - 1)) {
        for (const seq of numbers(0, EVENTS - 1)) {
          if (between(random, 0, 3) === 0) {
            // Too early; a new epoch begins with 0.
            const early = await append(id, epoch, seq + 1);
            const isFirst = seq === 0 && epoch > 0;
            expect(early.status, await early.text()).toBe(isFirst ? 400 : 409);
            if (!isFirst) expect([header(early, "producer-expected-seq"), header(early, "producer-received-seq")]).toEqual([String(seq), String(seq + 1)]);
            seen.gaps += 1;
          }
          // At once, as a client does that gave up waiting too soon.
          const answers = await Promise.all(numbers(1, between(random, 1, 3)).map(() => append(id, epoch, seq)));
          for (const answer of answers) {
            expect([200, 204], await answer.text()).toContain(answer.status);
            expect([header(answer, "producer-epoch"), header(answer, "producer-seq")]).toEqual([String(epoch), String(seq)]);
            seen[answer.status === 200 ? "stored" : "duplicates"] += 1;
          }
          done += 1;
          if (epoch > 0 && between(random, 0, 3) === 0) {
            const stale = await append(id, epoch - 1, between(random, 0, 2 * EVENTS));
            expect(stale.status, await stale.text()).toBe(403);
            expect(header(stale, "producer-epoch")).toBe(String(epoch));
            seen.fenced += 1;
          }
        }
      }
    }

    async function disturb(): Promise<void> {
      for (const share of numbers(1, 9)) {
        await eventually("more is stored", () => done >= (share * TOTAL) / 10, 120_000);
        if (offers("durable-objects") && share !== 5) {
          await server.evict("FeedChannel", channel.split("/").at(-1)!);
        } else if (offers("host-counters") && share !== 5) {
          await trap(server);
        } else {
          await server.kill9();
          await server.restart();
        }
      }
    }

    await Promise.all([...numbers(1, PRODUCERS).map(produce), disturb()]);
    const events = (await (await fetch(channel)).json()) as [id: number, epoch: number, seq: number][];
    expect(events).toHaveLength(TOTAL);
    for (const id of numbers(1, PRODUCERS)) {
      const expected = numbers(0, EPOCHS - 1).flatMap((epoch) => numbers(0, EVENTS - 1).map((seq) => [id, epoch, seq]));
      expect(events.filter(([of]) => of === id)).toEqual(expected);
    }
    // To clients an offset is opaque; this test knows that it ends in the position.
    const tail = header(await fetch(channel, { method: "HEAD" }), "stream-next-offset");
    expect(parseInt(tail.split("_")[1]!, 16), "no position is left out").toBe(TOTAL);
    expect(seen.stored, "what was stored and whose answer was lost is a duplicate the next time").toBeLessThanOrEqual(TOTAL);
    console.log(`producers: ${JSON.stringify(seen)}`);
  });
});
