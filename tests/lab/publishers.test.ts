// Many publishers of one channel at once: each event has one place, and nobody is refused.

import { expect, test } from "vitest";
import { createParser } from "eventsource-parser";
import { eventually } from "../harness/eventually.ts";
import { counters, recycle } from "../harness/host.ts";
import { offers } from "../harness/platform.ts";
import { describeOwnServer, freshName, head, header, numbers, useOwnServer } from "../harness/suite.ts";

const PUBLISHERS = 50;
const EVENTS = 20;

interface Place {
  offset: string;
  event: [publisher: number, number: number];
}

describeOwnServer("publishers", () => {
  const server = useOwnServer("publishers");

  test(`${PUBLISHERS} publishers of one channel are never refused, and each acknowledged event is there once`, { timeout: 120_000 }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const acknowledged: Place[] = [];
    const refused: string[] = [];
    let repeated = 0;

    async function publishAll(publisher: number): Promise<void> {
      for (const number of numbers(1, EVENTS)) {
        for (;;) {
          const event: Place["event"] = [publisher, number];
          const answer = await fetch(channel, { method: "POST", headers: { "content-type": "application/json" }, body: `[${JSON.stringify(event)}]` }).catch(
            () => undefined,
          );
          if (answer?.status === 204) {
            acknowledged.push({ offset: header(answer, "stream-next-offset"), event });
            break;
          }
          if (answer) {
            refused.push(`${answer.status} ${await answer.text()}`);
            return;
          }
          // The answer was lost; the event may be there all the same.
          repeated += 1;
        }
      }
    }

    /** If the runtime can take instances out of service, the test moves the publishers to fresh instances again and again. */
    async function move(): Promise<void> {
      for (const share of numbers(1, 9)) {
        await eventually("more are acknowledged", () => refused.length > 0 || acknowledged.length >= (share * PUBLISHERS * EVENTS) / 10, 60_000);
        await recycle(server);
      }
    }

    await Promise.all([...numbers(1, PUBLISHERS).map(publishAll), ...(offers("host-counters") ? [move()] : [])]);
    expect(refused).toEqual([]);
    expect(acknowledged).toHaveLength(PUBLISHERS * EVENTS);

    const stored = await readAll(channel, acknowledged.length);
    expect(await head(channel), "the tail").toBe(stored.at(-1)!.offset);
    // To clients an offset is opaque; this test knows that it ends in the position.
    expect(stored.map(({ offset }) => parseInt(offset.split("_")[1]!, 16)), "positions").toEqual(numbers(1, stored.length));
    const at = new Map(stored.map(({ offset, event }) => [offset, event]));
    expect(acknowledged.filter(({ offset, event }) => at.get(offset)?.join() !== event.join()), "acknowledged and not there").toEqual([]);
    // The other events were published, but their answers were lost.
    expect(stored.length - acknowledged.length).toBeLessThanOrEqual(repeated);
    for (const publisher of numbers(1, PUBLISHERS)) {
      const own = acknowledged.filter(({ event }) => event[0] === publisher).map(({ offset }) => offset);
      expect(own, "a publisher's events are in its order").toEqual([...own].sort());
    }
    if (offers("host-counters")) {
      const { instances_started, sqlite } = await counters(server);
      console.log(`publishers: ${acknowledged.length} events through ${instances_started} instances, ${repeated} repeated`);
      expect(instances_started).toBeGreaterThan(9);
      // Each may find that there is no channel yet, and make it; an instance may make the tables. Every other append is one statement.
      expect(sqlite.execute_other, "commits of transactions").toBeLessThanOrEqual(PUBLISHERS + instances_started);
    }
  });
});

/** All events with their offsets: those of an EventSource, which are the positions in the channel. */
async function readAll(channel: string, count: number): Promise<Place[]> {
  const places: Place[] = [];
  const parser = createParser({ onEvent: ({ id, data }) => places.push({ offset: id!, event: JSON.parse(data) as Place["event"] }) });
  const tail = await head(channel);
  const abort = new AbortController();
  // A stream ends after some frames; the rest is read from where it ended.
  while (places.length < count || places.at(-1)!.offset !== tail) {
    const answer = await fetch(`${channel}?offset=${places.at(-1)?.offset ?? "-1"}`, { headers: { accept: "text/event-stream" }, signal: abort.signal });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body!) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      if (places.at(-1)?.offset === tail) break;
    }
    parser.reset();
  }
  abort.abort();
  return places;
}
