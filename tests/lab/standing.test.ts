// A reader that stalls until retention has passed its next events: it gets a gap, continues, and costs no more than other readers.

import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { computedSeconds, counters, looks } from "../harness/host.ts";
import { offers } from "../harness/platform.ts";
import { LastingReader, TRANSPORTS } from "../harness/readers.ts";
import { Stall } from "../harness/stall.ts";
import { describeOwnServer, freshName, numbers, publishAll, useOwnServer } from "../harness/suite.ts";

const AGE_S = 2;
const EVENT_BYTES = 50_000;
const BATCH = 20;
/** More than buffers between the server and a reader hold. */
const BATCHES = 16;
const WINDOW_S = 3;
/** A look of each of two instances every 100 ms is 20. */
const LOOKS_IN_1S = 40;

interface Numbered {
  number: number;
}

describeOwnServer("a standing reader", () => {
  const server = useOwnServer("standing", { RETENTION_MAX_AGE_S: String(AGE_S), RETENTION_MAX_BYTES: "100000000", HEARTBEAT_MS: "1000" });

  test.each(TRANSPORTS)("%s: gets the gap, continues, and the server is quiet", async (transport) => {
    const name = freshName();
    const channel = `${server.url}/feed/${name}`;
    const publishNumbers = (from: number, to: number, text = "") => publishAll(channel, numbers(from, to).map((number) => ({ number, text })));
    const stall = await Stall.start(server.port);
    await publishNumbers(0, 0);
    const reader = new LastingReader(`${stall.url}/feed/${name}`, [transport], 60_000);
    onTestFinished(() => reader.close());
    await eventually("it reads", () => reader.count === 1);

    stall.stop();
    for (const batch of numbers(0, BATCHES - 1)) await publishNumbers(batch * BATCH + 1, (batch + 1) * BATCH, "x".repeat(EVENT_BYTES));
    const newest = BATCHES * BATCH;
    await delay(AGE_S * 1_000 + 100);
    expect(await (await fetch(channel)).json(), "all is gone").toEqual([]);

    stall.goOn();
    // No publish happens in the meantime: only the reader makes the server read again.
    await eventually("it gets the gap", () => reader.gaps.length > 0);
    await isQuiet("while it reads", transport === "poll" ? 200 : LOOKS_IN_1S);
    await publishNumbers(newest + 1, newest + 1);
    await eventually("it continues", () => (reader.events.at(-1) as Numbered).number === newest + 1);
    const received = (reader.events as Numbered[]).map(({ number }) => number);
    expect(received, "none twice, none out of order").toEqual([...new Set(received)].sort((one, other) => one - other));
    expect(received.length).toBeLessThan(newest);
    expect(reader.gaps).toHaveLength(1);

    reader.close();
    await isQuiet("after it has left", LOOKS_IN_1S);
  });

  /** Whether the server neither computes nor looks at its store more than readers at rest have it do. */
  async function isQuiet(when: string, looksIn1s: number): Promise<void> {
    const reads = async () => (offers("host-counters") ? looks(await counters(server)) : 0);
    const before = { computed: computedSeconds(server), reads: await reads() };
    await delay(WINDOW_S * 1_000);
    expect(computedSeconds(server) - before.computed, `seconds computed ${when}`).toBeLessThan(WINDOW_S - 1);
    expect(((await reads()) - before.reads) / WINDOW_S, `looks a second ${when}`).toBeLessThan(looksIn1s);
  }
});
