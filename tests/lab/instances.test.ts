// Instances of a Spin component come and go: recycled and trapped in mid-stream, they lose nothing for readers that come back.

import { EventSource } from "eventsource";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { counters, recycle, trap } from "../harness/host.ts";
import { LastingReader } from "../harness/readers.ts";
import { describeOwnServer, freshName, numbers, publish, useOwnServer } from "../harness/suite.ts";

const SOURCES = 40;
const POLLS = 20;
const EVENTS = 300;

describeOwnServer("instances", () => {
  const server = useOwnServer("instances", { RETRY_MS: "200", LONG_POLL_MS: "20000" });

  test("readers whose instances are recycled and trapped get every event once", { timeout: 120_000, tags: ["host-counters"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const opened: EventSource[] = [];
    let isOver = false;
    onTestFinished(() => {
      isOver = true;
      opened.forEach((source) => source.close());
    });
    const sources = numbers(1, SOURCES).map(() => {
      const events: unknown[] = [];
      // A request that meets a trap gets 500, which ends an EventSource for good: the page opens a new EventSource at the last offset.
      const open = (offset: string): void => {
        const source = new EventSource(`${channel}?offset=${offset}`);
        opened.push(source);
        source.addEventListener("message", ({ data, lastEventId }) => {
          events.push(JSON.parse(data as string));
          offset = lastEventId;
        });
        source.addEventListener("error", () => {
          if (source.readyState === EventSource.CLOSED && !isOver) open(offset);
        });
      };
      open("-1");
      return { events };
    });
    const polls = numbers(1, POLLS).map(() => new LastingReader(channel, ["long-poll"]));
    onTestFinished(() => polls.forEach((poll) => poll.close()));

    const started = (await counters(server)).instances_started;
    let traps = 0;
    for (const number of numbers(1, EVENTS)) {
      await publish(channel, number);
      if (number % 10 === 5) await recycle(server);
      if (number % 10 === 0) {
        traps += 1;
        await trap(server);
        // A trap takes the publish of its moment with it; here it takes readers only.
        await eventually("an instance is trapped", async () => (await counters(server)).traps >= traps);
      }
    }
    for (const reader of [...sources, ...polls]) {
      await eventually("a reader has the last event", () => reader.events.at(-1) === EVENTS);
      expect(reader.events).toEqual(numbers(1, EVENTS));
    }
    const { instances_started } = await counters(server);
    console.log(`instances: ${traps} trapped, ${instances_started - started} started, ${polls.reduce((sum, { returns }) => sum + returns, 0)} long polls came back`);
    expect(instances_started - started).toBeGreaterThan(traps);
  });
});
