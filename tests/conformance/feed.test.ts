// The newest of each series: what a dashboard joins with, while samples keep coming.

import { expect, onTestFinished, test } from "vitest";
import type { Sample } from "../../functions/feed/public/feed.d.ts";
import { eventually } from "../harness/eventually.ts";
import { announcedSeed, between, randomFrom } from "../harness/random.ts";
import { read, TRANSPORTS } from "../harness/readers.ts";
import { freshName, header, numbers, publish, publishAll, useServer } from "../harness/suite.ts";

const SERIES = ["a", "b", "c", "d", "e"];

const server = useServer();

/** What a dashboard shows after these events. */
const shown = (events: unknown[]) => Object.assign({}, ...(events as Sample[]).map(({ values }) => values)) as Sample["values"];

test.each(TRANSPORTS)("who joins by the newest of each series and goes on by %s shows what the whole history says", async (transport) => {
  const channel = `${server.url}/feed/${freshName()}`;
  const random = randomFrom(announcedSeed());
  const published: Sample[] = [];
  const sample = () => ({ at: published.length, values: Object.fromEntries(SERIES.slice(between(random, 0, 4)).map((key) => [key, published.length])) });
  const publishSome = async () => {
    for (let count = 0; count < 40; count += 1) {
      published.push(sample());
      await publish(channel, published.at(-1));
    }
  };
  await publishSome();
  const publishing = publishSome();
  const answer = await fetch(`${channel}?view=latest`);
  const joined = (await answer.json()) as Sample[];
  expect(joined.length).toBeLessThanOrEqual(SERIES.length);
  const reader = read(transport, channel, header(answer, "stream-next-offset"));
  onTestFinished(() => reader.close());
  await publishing;
  const last = published.at(-1)!.at;
  await eventually("the newest sample", () => (reader.events.at(-1) as Sample | undefined)?.at === last);
  expect(shown([...joined, ...reader.events])).toEqual(shown(published));
  // Nothing twice and nothing left out between the two.
  expect(reader.events).toEqual(published.slice(-reader.events.length));
  expect(published.length - reader.events.length).toBe(joined.at(-1)!.at! + 1);
});

test("thousands of samples are joined by one event of each series", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const batch = (from: number) => numbers(from, from + 999).map((at) => ({ at, values: { [`series_${at % 50}`]: at } }));
  for (let from = 0; from < 10_000; from += 1_000) await publishAll(channel, batch(from));
  const answer = await fetch(`${channel}?view=latest`);
  const joined = (await answer.json()) as Sample[];
  expect(joined.map(({ at }) => at)).toEqual(numbers(9_950, 9_999));
  expect(header(answer, "stream-up-to-date")).toBe("true");
});
