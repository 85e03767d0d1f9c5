// An acknowledged change is visible to every request that begins later, also beside a reader that read the store before.

import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { expect, onTestFinished, test } from "vitest";
import { message, send } from "../harness/chat.ts";
import { eventually } from "../harness/eventually.ts";
import { read } from "../harness/readers.ts";
import { describeOwnServer, freshName, header, publish, publishAll, useOwnServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys, type Claims } from "../harness/ticket.ts";

/** As far apart as looks of readers that wait may be. */
const LOOK_MS = 3_000;
/** An event from before a request is in its answer at once, not after the next read of the store. */
const AT_ONCE_MS = 1_500;
/** So often, for a look may fall between the two requests by chance. */
const ROUNDS = [1, 2, 3];

/** The first of an SSE stream, until its control event says that it is up to date, or until it ends. */
async function firstOf(url: string, headers: Record<string, string> = {}): Promise<string> {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const answer = await fetch(url, { headers, signal: abort.signal });
  if (answer.status !== 200) return `status ${answer.status}`;
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of answer.body!) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes('"upToDate":true')) break;
  }
  return text;
}

describeOwnServer("what was acknowledged", () => {
  const server = useOwnServer("acknowledged", { STORE_POLL_MS: String(LOOK_MS), LONG_POLL_MS: "200" });

  /** A reader that stays, and has just got the newest event. */
  async function neighbour(channel: string, events: number): Promise<void> {
    const reader = read("sse", channel);
    onTestFinished(() => reader.close());
    await eventually("the neighbour reads", () => reader.events.length === events);
  }

  async function atOnce<T>(what: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const done = await work();
    expect(performance.now() - start, what).toBeLessThan(AT_ONCE_MS);
    return done;
  }

  test.each(ROUNDS)("an append is in the next long poll, and in the first page of the next stream (%d)", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const first = await publish(channel, "one");
    await neighbour(channel, 1);
    for (const [index, text] of ["two", "three"].entries()) {
      await publish(channel, text);
      const all = ["two", "three"].slice(0, index + 1);
      const poll = await atOnce("the long poll", () => fetch(`${channel}?offset=${first}&live=long-poll`));
      expect([poll.status, poll.status === 200 && (await poll.json())]).toEqual([200, all]);
      const stream = await atOnce("the stream", () => firstOf(`${channel}?offset=${first}&live=sse`));
      for (const text of all) expect(stream).toContain(text);
    }
  });

  test.each(ROUNDS)("an erased event is in no later answer (%d)", async () => {
    const room = `${server.url}/chat/${freshName()}`;
    const answers = [await send(room, message("kept"), { id: "ann", seq: 0 }), await send(room, message("regretted"), { id: "ann", seq: 1 })];
    const [kept, regretted] = answers.map((answer) => header(answer, "stream-next-offset"));
    await neighbour(room, 2);
    // The look of the neighbour has both by now; a third one is in its memory as news.
    await send(room, message("regretted as well"), { id: "ann", seq: 2 });
    expect(await (await fetch(`${room}?offset=${regretted}&live=long-poll`)).text()).toContain("regretted as well");
    const newest = header(await fetch(room), "stream-next-offset");
    for (const offset of [regretted, newest]) expect((await fetch(`${room}?offset=${offset}`, { method: "DELETE", headers: { "producer-id": "ann" } })).status).toBe(204);
    const poll = await fetch(`${room}?offset=${kept}&live=long-poll`);
    expect(poll.status).toBe(200);
    const texts = [await poll.text(), await firstOf(`${room}?offset=${kept}&live=sse`)];
    for (const text of texts) expect(text).not.toContain("regretted");
    expect(await (await fetch(`${room}?offset=${regretted}&live=long-poll`)).text()).not.toContain("regretted");
  });

  test.each(ROUNDS)("a channel that was deleted is gone for every later reader (%d)", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const first = await publish(channel, "one");
    await publish(channel, "two");
    await neighbour(channel, 2);
    expect((await fetch(channel, { method: "DELETE" })).status).toBe(204);
    const answers = [await fetch(`${channel}?offset=${first}&live=long-poll`), await fetch(`${channel}?offset=${first}`)];
    for (const answer of answers) expect([404, 410]).toContain(answer.status);
    expect(await firstOf(`${channel}?offset=-1&live=sse`)).not.toContain("two");
    await publishAll(channel, ["anew"]);
    const stream = await firstOf(`${channel}?offset=-1&live=sse`);
    expect(stream).toContain("anew");
    expect(stream).not.toContain("two");
  });

  test.each(ROUNDS)("a closed channel is closed for the next stream and long poll (%d)", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const first = await publish(channel, "one");
    await neighbour(channel, 1);
    expect((await fetch(channel, { method: "POST", headers: { "stream-closed": "true" } })).status).toBe(204);
    const poll = await atOnce("the long poll", () => fetch(`${channel}?offset=${first}&live=long-poll`));
    expect(header(poll, "stream-closed")).toBe("true");
    const stream = await atOnce("the stream", () => firstOf(`${channel}?offset=${first}&live=sse`));
    expect(stream).toContain('"streamClosed":true');
  });

});

describeOwnServer("a revocation that was acknowledged", () => {
  const key = freshKey();
  const server = useOwnServer("revoked", { STORE_POLL_MS: String(LOOK_MS), LONG_POLL_MS: "200", OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(key) });

  test.each(ROUNDS)("who was revoked gets nothing more (%d)", async () => {
    const name = `room-${randomUUID()}`;
    const channel = `${server.url}/feed/${name}`;
    const ticket = (claims: Partial<Claims>) => ({ authorization: `Bearer ${mint(key, { aud: "feed", ch: name, rights: ["read"], ...claims })}` });
    const [manager, revoked] = [ticket({ rights: ["publish", "read", "manage"], jti: "m" }), ticket({ jti: "r" })];
    const answer = await fetch(channel, { method: "POST", headers: { ...manager, "content-type": "application/json" }, body: '["one"]' });
    expect(answer.status).toBe(204);
    const offset = header(answer, "stream-next-offset");
    // The neighbour has another right, and continues.
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const neighbour = await fetch(`${channel}?offset=-1`, { headers: { ...manager, accept: "text/event-stream" }, signal: abort.signal });
    await neighbour.body!.getReader().read();
    expect((await fetch(`${channel}?offset=${offset}&live=long-poll`, { headers: revoked })).status).toBe(204);
    const revocation = await fetch(`${server.url}/feed/-/revoke/${name}`, { method: "POST", headers: manager, body: '{"ticket":"r"}' });
    expect(revocation.status).toBe(204);
    expect((await fetch(`${channel}?offset=${offset}&live=long-poll`, { headers: revoked })).status).toBe(403);
    expect(await firstOf(`${channel}?offset=-1&live=sse`, revoked)).toBe("status 403");
  });
});
