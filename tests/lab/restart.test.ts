// SIGKILL while publishing: what was acknowledged is there after the restart, once and in order.

import { EventSource } from "eventsource";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { read } from "../harness/readers.ts";
import { describeOwnServer, freshName, numbers, useOwnServer } from "../harness/suite.ts";

const KILLS = 3;

describeOwnServer("restart", () => {
  const server = useOwnServer("restart", { RETRY_MS: "200" });

  test("every acknowledged event outlives SIGKILL, and a native EventSource resumes by itself", { timeout: 120_000 }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const acknowledged: number[] = [];
    let dying = false;
    let next = 1;

    /** Each number is tried once, so one whose answer was lost may be there or not. */
    async function publishNext(): Promise<boolean> {
      const number = next;
      next += 1;
      const answer = await fetch(channel, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: String(number),
      }).catch(() => undefined);
      if (answer?.status === 204) acknowledged.push(number);
      else if (!dying) throw new Error(`publish of ${number} while the server lives: ${answer?.status}`);
      return answer?.status === 204;
    }

    async function publishUntilKilled(): Promise<void> {
      while (await publishNext());
    }

    const seen: number[] = [];
    const source = new EventSource(channel);
    onTestFinished(() => source.close());
    source.addEventListener("message", ({ data }) => seen.push(JSON.parse(data as string) as number));

    for (const kill of numbers(1, KILLS)) {
      const goal = acknowledged.length + 100;
      const publishing = publishUntilKilled();
      await Promise.race([publishing, eventually("a hundred more are acknowledged", () => acknowledged.length >= goal)]);
      dying = true;
      await server.kill9();
      await publishing;
      dying = false;
      await server.restart();
      await publishNext();
      await eventually(`the EventSource is back after kill ${kill}`, () => seen.includes(acknowledged.at(-1)!), 60_000);
    }

    const reader = read("poll", channel);
    onTestFinished(() => reader.close());
    await eventually("the whole channel is read", () => reader.events.length >= seen.length);
    const stored = reader.events as number[];
    expect(acknowledged.filter((number) => !stored.includes(number)), "acknowledged and lost").toEqual([]);
    // Rising means once each and in order.
    expect(stored).toEqual([...new Set(stored)].sort((a, b) => a - b));
    expect(seen).toEqual(stored);
  });
});
