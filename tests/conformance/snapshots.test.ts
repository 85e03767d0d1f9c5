// Snapshots of the newest event of each key: what a poll of a long channel reads in place of its log. Whether there is one must not show in any answer.

import { expect, test } from "vitest";
import type { Sample } from "../../functions/feed/public/feed.d.ts";
import { eventually } from "../harness/eventually.ts";
import { announcedSeed, between, randomFrom } from "../harness/random.ts";
import * as store from "../harness/store.ts";
import { describeOwnServer, freshName, header, numbers, publishAll, useOwnServer } from "../harness/suite.ts";

const EVERY = 10;
const KEPT = 45;
const SERIES = ["a", "b", "c", "d", "e", "f"];

describeOwnServer("snapshots", () => {
  const server = useOwnServer("snapshots", { SNAPSHOT_EVENTS: String(EVERY), RETENTION_MAX_EVENTS: String(KEPT) });
  const freshFeed = () => `${server.url}/feed/${freshName()}`;

  const snapshotsWith = (text: string) => store.snapshotsWith(server, text);

  async function events(channel: string, query: string): Promise<{ samples: Sample[]; offset: string; isUpToDate: boolean }> {
    const answer = await fetch(`${channel}?${query}`);
    const body = await answer.text();
    expect(answer.status, body).toBe(200);
    return { samples: JSON.parse(body) as Sample[], offset: header(answer, "stream-next-offset"), isUpToDate: answer.headers.has("stream-up-to-date") };
  }

  /** The events that are the newest of a series, as the whole log says. */
  function newest(log: Sample[]): Sample[] {
    const seen = new Set<string>();
    const isNew = ({ values }: Sample) => {
      const fresh = Object.keys(values).filter((key) => !seen.has(key));
      for (const key of fresh) seen.add(key);
      return fresh.length > 0;
    };
    return log.toReversed().filter(isNew).reverse();
  }

  /** The view is what the log says, from the beginning and from an offset, and ends where the log ends. */
  async function expectSameAsLog(channel: string, offset: string): Promise<void> {
    for (const from of ["-1", offset]) {
      const log = await events(channel, `offset=${from}`);
      expect(await events(channel, `view=latest&offset=${from}`), `from ${from}`).toEqual({ ...log, samples: newest(log.samples) });
    }
  }

  test("the newest of each series is the same with them and by the whole log, also after retention, eviction and SIGKILL", async () => {
    const channel = freshFeed();
    const random = randomFrom(announcedSeed());
    const mark = `mark-${freshName()}`;
    // A series that ends early: it is gone once its last event is.
    let at = 0;
    let offset = await publishAll(channel, [{ at: 0, values: { [mark]: 0 } }]);
    for (const round of numbers(1, 24)) {
      const batch = numbers(1, between(random, 1, 2 * EVERY)).map(() => {
        at += 1;
        const keys = SERIES.slice(between(random, 0, SERIES.length));
        return { at, values: Object.fromEntries(keys.map((key) => [key, at])) };
      });
      const before = offset;
      offset = await publishAll(channel, batch);
      await expectSameAsLog(channel, before);
      if (round === 3 && at < KEPT) expect(snapshotsWith(mark).length).toBe(at >= EVERY ? 1 : 0);
      if (round === 12) await server.kill9().then(() => server.restart());
      if (round === 18) await expectSameAsLog(channel, before);
    }
    // The next compaction leaves out what is no longer kept.
    await eventually("the series that ended is gone", () => snapshotsWith(mark).length === 0);
    const { samples } = await events(channel, "view=latest");
    expect(samples.some(({ values }) => mark in values)).toBe(false);
  });

  test("there is one at a time, from the publish that makes it due", async () => {
    const channel = freshFeed();
    const mark = `mark-${freshName()}`;
    const batch = (count: number) => numbers(1, count).map((value) => ({ values: { [mark]: value } }));
    await publishAll(channel, batch(EVERY - 1));
    expect(snapshotsWith(mark)).toEqual([]);
    await publishAll(channel, batch(1));
    expect(snapshotsWith(mark)).toEqual([EVERY]);
    await publishAll(channel, batch(EVERY));
    expect(snapshotsWith(mark)).toEqual([2 * EVERY]);
  });

  test("a channel that is made anew has none of the one before, nor has the store", async () => {
    const channel = freshFeed();
    const mark = `mark-${freshName()}`;
    await publishAll(channel, numbers(1, EVERY).map((value) => ({ values: { [mark]: value } })));
    expect(snapshotsWith(mark)).toHaveLength(1);
    expect((await fetch(channel, { method: "DELETE" })).status).toBe(204);
    await publishAll(channel, [{ values: { other: 1 } }]);
    expect((await events(channel, "view=latest")).samples).toEqual([{ values: { other: 1 } }]);
    await eventually("nothing is left", () => snapshotsWith(mark).length === 0);
  });

  test("a tenant is erased with them", async () => {
    const tenant = freshName();
    const mark = `mark-${tenant}`;
    await publishAll(`${server.url}/feed/${tenant}:a`, numbers(1, EVERY).map((value) => ({ values: { [mark]: value } })));
    expect(snapshotsWith(mark)).toHaveLength(1);
    expect((await fetch(`${server.url}/feed/-/tenant/${tenant}`, { method: "DELETE" })).status).toBe(204);
    await eventually("nothing is left", () => snapshotsWith(mark).length === 0);
  });
});
