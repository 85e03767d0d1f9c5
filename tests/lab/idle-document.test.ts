// A document that nobody edits: how often stock clients wake its object, and what they send.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { describeOwnServer, freshName, numbers, useOwnServer } from "../harness/suite.ts";
import { PartyClient, WebsocketClient, type Client } from "../harness/y-client.ts";

/** A stock client renews its awareness after 15 s, or 3 s later. */
const RENEWALS = 2;
const LIMIT_MS = 45_000;
const CROWD = 3;

/** Counts how often a client says again that it is there. */
function renewals({ awareness }: Client): () => number {
  let count = 0;
  awareness.on("update", (_: unknown, origin: unknown) => (count += Number(origin === "local")));
  return () => count;
}

/** Counts what a client sends from now on. */
function messages({ provider }: WebsocketClient): () => number {
  const socket = provider.ws!;
  const send = socket.send.bind(socket);
  let count = 0;
  socket.send = (data: Parameters<typeof send>[0]) => {
    count += 1;
    send(data);
  };
  return () => count;
}

describeOwnServer("idle document", () => {
  const [quiet, crowded] = [useOwnServer("idle-document"), useOwnServer("idle-document-crowd")];

  test("each renewal of a stock y-websocket client wakes the object, and the others send it back; y-partyserver wakes nobody", { timeout: 120_000, tags: ["durable-objects"] }, async () => {
    const alone = await new WebsocketClient(`${quiet.url}/collab`, freshName()).synced();
    const party = await new PartyClient(`${quiet.url}/collab`, freshName()).synced();
    const name = freshName();
    const crowd = await Promise.all(numbers(1, CROWD).map(() => new WebsocketClient(`${crowded.url}/collab`, name).synced()));
    await eventually("all see each other", () => crowd.every(({ awareness }) => awareness.getStates().size === CROWD));
    // Their last words on that are on the way.
    await delay(1_000);
    const before = quiet.wakes("CollabChannel");
    const renewed = [alone, ...crowd].map(renewals);
    const [, ...renewedByCrowd] = renewed;
    const silent = renewals(party);
    const sent = crowd.map(messages);
    const sum = (counts: (() => number)[]) => counts.reduce((all, count) => all + count(), 0);

    const begin = performance.now();
    await eventually("each has renewed its awareness", () => renewed.every((count) => count() >= RENEWALS), LIMIT_MS);
    const seconds = (performance.now() - begin) / 1_000 / RENEWALS;
    // What nobody expects may still come.
    await delay(1_000);
    expect(silent()).toBe(0);
    const wakes = quiet.wakes("CollabChannel") - before;
    expect(wakes, "each renewal wakes the object, and nothing else does").toBe(renewed[0]!());
    expect(sum(sent), "each client sends back what it hears").toBe(CROWD * sum(renewedByCrowd));
    console.log(`a renewal each ${seconds.toFixed(1)} s: ${wakes} wakes, and ${sum(sent)} messages of ${CROWD} clients for ${sum(renewedByCrowd)} renewals`);
    expect(party.provider.wsconnected).toBe(true);
  });
});
