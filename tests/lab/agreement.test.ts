// Two Spin hosts on one Redis agree on people and limits: members, revocations, tenants, rates and pushes.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { announce, Listener, members, message } from "../harness/chat.ts";
import { eventually } from "../harness/eventually.ts";
import { Pair } from "../harness/pair.ts";
import { freshVapid, PushService } from "../harness/push-service.ts";
import { ABSENT, describeOwnServer, freshName, head, header, numbers } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys, type Claims } from "../harness/ticket.ts";

const NEEDS = { tags: ["redis"] };
const KEY = freshKey();
const LEASE_MS = 2_000;
const VARS = { TICKET_KEYS: ticketKeys(KEY), PRESENCE_LEASE_MS: String(LEASE_MS), SNAPSHOT_EVENTS: "5" };
const [ANN, BEN, CLEO] = [{ name: "Ann" }, { name: "Ben" }, { name: "Cleo" }];
/** The longest time between two questions of an instance, while everything rests. */
const REST_MS = 500;
/** What a slow machine adds to a wait. */
const SLACK_MS = 1_000;
/** Of all visitors of a channel under `demo-` together: so many at once, and as many again in this time. */
const [DEMO_EVENTS, DEMO_MS] = [200, 10_000];
const REVOKED = { code: 3507, reason: "access-denied" };

describeOwnServer("two hosts agree", () => {
  let pair: Pair;
  let service: PushService;

  beforeAll(async () => {
    service = await PushService.start();
    const push = { VAPID_KEYS: freshVapid().setting, VAPID_SUBJECT: "mailto:admin@example.com", PUSH_SERVICES: service.origin, PUSH_ORIGIN: "http://127.0.0.1:*", PUSH_DELAY_MS: "200" };
    pair = await Pair.start("agreement", { ...VARS, ...push });
  });

  afterAll(async () => {
    service?.stop();
    await pair?.stop();
  });

  const bearer = (ticket: string) => ({ authorization: `Bearer ${ticket}` });

  function post(channel: string, ticket: string, data: unknown, producer?: { id: string; seq: number }): Promise<Response> {
    const numbered = producer && { "producer-id": producer.id, "producer-epoch": "0", "producer-seq": String(producer.seq) };
    const headers = { "content-type": "application/json", ...bearer(ticket), ...numbered };
    return fetch(channel, { method: "POST", headers, body: JSON.stringify(data) });
  }

  async function publish(channel: string, ticket: string, data: unknown): Promise<void> {
    const answer = await post(channel, ticket, data);
    expect(answer.status, await answer.text()).toBe(204);
  }

  /** An SSE stream: its events, and when it ended. */
  async function stream(channel: string, ticket: string) {
    const answer = await fetch(`${channel}?offset=-1`, { headers: { accept: "text/event-stream", ...bearer(ticket) } });
    expect(answer.status).toBe(200);
    const events: { event: string | undefined; data: string }[] = [];
    const parser = createParser({ onEvent: ({ event, data }) => events.push({ event, data }) });
    const reader = answer.body!.getReader();
    onTestFinished(() => reader.cancel());
    const decoder = new TextDecoder();
    const ended = (async () => {
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) parser.feed(decoder.decode(chunk.value, { stream: true }));
      return performance.now();
    })();
    // A test that does not wait for the end cancels the stream.
    ended.catch(() => {});
    return { events, ended };
  }

  test("on members: a reader of one host sees those of the other, until they leave or their host is killed", NEEDS, async () => {
    const name = freshName();
    const [a, b] = pair.urls.map((url) => `${url}/chat/${name}`) as [string, string];
    const listener = await Listener.open(b);
    await announce(a, "ann", ANN);
    await eventually("Ann is seen", () => "ann" in listener.present);
    expect(await members(b)).toEqual([{ id: "ann", state: ANN }]);
    await announce(a, "ann", { ...ANN, typing: true });
    await eventually("she types", () => listener.present.ann?.typing === true);
    await announce(a, "ann", null);
    await eventually("she has left", () => !("ann" in listener.present));

    // Members that renew stay for longer than a lease.
    for (const _ of numbers(1, 4)) {
      await Promise.all([announce(a, "ben", BEN), announce(a, "cleo", CLEO)]);
      await delay(LEASE_MS / 3);
    }
    expect(listener.told.flatMap(({ members }) => members).filter(({ state }) => state === null)).toEqual([{ id: "ann", state: null }]);
    await Promise.all([announce(a, "ben", BEN), announce(a, "cleo", CLEO)]);
    const renewed = performance.now();
    await pair.hosts[0]!.kill9();
    onTestFinished(() => pair.hosts[0]!.restart());
    // Cleo's page finds the other host.
    await announce(b, "cleo", CLEO);
    await eventually("Ben has left", () => !("ben" in listener.present));
    expect(performance.now() - renewed).toBeGreaterThan(LEASE_MS - SLACK_MS);
    expect(performance.now() - renewed).toBeLessThan(LEASE_MS + REST_MS + SLACK_MS);
    const gone = listener.told.flatMap(({ members }) => members).filter(({ state }) => state === null);
    expect(gone.filter(({ id }) => id === "ben"), "once").toHaveLength(1);
    // Her lease may be over by now on a slow machine.
    await announce(b, "cleo", CLEO);
    expect(await members(b)).toEqual([{ id: "cleo", state: CLEO }]);
  });

  test("on access: what one host revokes, the other refuses at once, and its streams end within half a second", NEEDS, async () => {
    const name = `room-${randomUUID()}`;
    const ticket = (claims: Partial<Claims> = {}) => mint(KEY, { aud: "feed", ch: name, rights: ["read", "publish"], ...claims });
    const [a, b] = pair.urls.map((url) => `${url}/feed/${name}`) as [string, string];
    const manager = ticket({ rights: ["read", "publish", "manage"], jti: "manager" });
    const [revoked, other] = [ticket({ jti: "a", sub: "ann" }), ticket({ jti: "b", sub: "ann" })];
    await publish(a, manager, [1]);
    const streams = [await stream(b, revoked), await stream(b, revoked), await stream(b, other)];
    for (const { events } of streams) await eventually("it is live", () => events.length > 0);
    // Until its instance asks twice a second only.
    await delay(6_000);

    const began = performance.now();
    const answer = await fetch(`${pair.urls[0]}/feed/-/revoke/${name}`, { method: "POST", headers: bearer(manager), body: '{"ticket":"a"}' });
    expect(answer.status).toBe(204);
    const read = await fetch(b, { headers: bearer(revoked) });
    expect([read.status, await read.json()]).toMatchObject([403, { type: "urn:tidewire:access-denied" }]);
    expect((await post(b, revoked, [2])).status).toBe(403);
    for (const { events, ended } of streams.slice(0, 2)) {
      expect((await ended) - began).toBeLessThan(REST_MS + SLACK_MS);
      expect(events.at(-1)).toEqual({ event: "close", data: JSON.stringify(REVOKED) });
    }
    await publish(a, other, [3]);
    await eventually("the other ticket reads on", () => streams[2]!.events.some(({ data }) => data === "3"));

    // And for a subject, where the channel is deleted on the other host.
    expect((await fetch(`${pair.urls[1]}/feed/-/revoke/${name}`, { method: "POST", headers: bearer(manager), body: '{"subject":"ann"}' })).status).toBe(204);
    await streams[2]!.ended;
    expect((await fetch(b, { method: "DELETE", headers: bearer(manager) })).status).toBe(204);
    expect((await fetch(a, { headers: bearer(other) })).status).toBe(403);
  });

  test("on a tenant: what one host erases is in no key of Redis, and on no host", NEEDS, async () => {
    const tenant = `team-${randomUUID()}`;
    const ticket = (aud: string) => mint(KEY, { aud, ch: `${tenant}:*`, rights: ["read", "publish", "presence", "manage"], jti: "manager" });
    const [feed, chat] = [ticket("feed"), ticket("chat")];
    const at = (host: number, path: string) => `${pair.urls[host]}/${path}`;
    const secret = `secret-${tenant}`;
    // Over one more than a page of an erasure, on both hosts by turns.
    for (const first of numbers(0, 10)) {
      await Promise.all(numbers(0, 9).map((index) => publish(at(index % 2, `feed/${tenant}:${first * 10 + index}`), feed, [secret])));
    }
    // Events with a producer, enough for a snapshot; members; the member of a room without events.
    const room = `feed/${tenant}:full`;
    for (const seq of numbers(0, 7)) expect((await post(at(seq % 2, room), feed, { values: { [secret]: seq } }, { id: `producer-${secret}`, seq })).status).toBe(200);
    await eventually("it has a snapshot", () => pair.redis.rows(new RegExp(`${tenant}:full:s `)).length > 0);
    await publish(at(1, `chat/${tenant}:room`), chat, [message(secret)]);
    for (const name of ["room", "empty"]) {
      const answer = await fetch(at(0, `chat/-/presence/${tenant}:${name}`), { method: "POST", headers: bearer(chat), body: JSON.stringify({ id: secret, state: { secret } }) });
      expect(answer.status).toBe(200);
    }
    const kept = `${tenant}2:a`;
    const keeper = mint(KEY, { aud: "feed", ch: kept, rights: ["read", "publish"] });
    await publish(at(0, `feed/${kept}`), keeper, ["kept"]);
    const reader = await stream(at(1, room), feed);
    await eventually("it reads", () => reader.events.length > 0);
    expect(pair.redis.rows(new RegExp(secret)).length).toBeGreaterThan(115);

    for (const [base, manager] of [["feed", feed], ["chat", chat]] as const) {
      let requests = 0;
      for (let status = 202; status === 202; requests += 1) {
        const answer = await fetch(at(0, `${base}/-/tenant/${tenant}`), { method: "DELETE", headers: bearer(manager) });
        status = answer.status;
        expect(status).toBeOneOf([202, 204]);
      }
      expect(requests).toBe(base === "feed" ? 2 : 1);
    }
    // Neither a key nor an element of a key has its name; the other tenant's is longer.
    expect(pair.redis.rows(new RegExp(`${tenant}(?!2)`))).toEqual([]);
    expect(pair.redis.ask("KEYS", `*${tenant}:*`).trim()).toBe("");
    await reader.ended;
    for (const name of ["full", "1", "100"]) {
      expect(await head(at(1, `feed/${tenant}:${name}?ticket=${feed}`))).toBe(ABSENT);
      expect(await (await fetch(at(1, `feed/${tenant}:${name}`), { headers: bearer(feed) })).text()).toBe("[]");
    }
    for (const name of ["room", "empty"]) {
      expect(await (await fetch(at(1, `chat/-/presence/${tenant}:${name}`), { headers: bearer(chat) })).json()).toEqual({ members: [] });
    }
    expect(await (await fetch(at(1, `feed/${kept}`), { headers: bearer(keeper) })).json()).toEqual(["kept"]);

    // A revocation holds for its hour, whatever is erased, and is all that is left.
    await publish(at(0, room), feed, ["again"]);
    expect((await fetch(at(0, `feed/-/revoke/${tenant}:full`), { method: "POST", headers: bearer(feed), body: '{"ticket":"lost"}' })).status).toBe(204);
    expect((await fetch(at(1, `feed/-/tenant/${tenant}`), { method: "DELETE", headers: bearer(feed) })).status).toBe(204);
    const left = pair.redis.rows(new RegExp(`${tenant}(?!2)`));
    expect(left).toHaveLength(1);
    expect(left[0]).toContain(`feed/${tenant}:full:r `);
  });

  test("on rates: what one identity and all visitors publish is counted together", NEEDS, async () => {
    const name = `room-${randomUUID()}`;
    const ticket = mint(KEY, { aud: "chat", ch: name, rights: ["read", "publish"], sub: "ann" });
    const [a, b] = pair.urls.map((url) => `${url}/chat/${name}`) as [string, string];
    // Ten in ten seconds.
    const five = numbers(1, 5).map((index) => message(`text ${index}`));
    await publish(a, ticket, five);
    await publish(b, ticket, five);
    for (const room of [a, b]) {
      const refused = await post(room, ticket, five);
      expect([refused.status, ((await refused.json()) as { type: string }).type]).toEqual([429, "urn:tidewire:rate-exceeded"]);
      expect(Number(header(refused, "retry-after"))).toBeGreaterThan(0);
    }
    expect(await (await fetch(b, { headers: bearer(ticket) })).json()).toHaveLength(10);

    const demo = freshName();
    const began = performance.now();
    let accepted = 0;
    for (const turn of numbers(1, 2 * (DEMO_EVENTS / 10))) {
      const headers = { "content-type": "application/json", "producer-id": `visitor-${turn}`, "producer-epoch": "0", "producer-seq": "0" };
      const answer = await fetch(`${pair.urls[turn % 2]}/feed/${demo}`, { method: "POST", headers, body: JSON.stringify(numbers(1, 10)) });
      expect(answer.status).toBeOneOf([200, 429]);
      if (answer.status === 200) accepted += 10;
    }
    const more = ((performance.now() - began) / DEMO_MS) * DEMO_EVENTS;
    console.log(`two hosts took ${accepted} of ${2 * DEMO_EVENTS} events of visitors in ${Math.round(performance.now() - began)} ms`);
    expect(accepted).toBeGreaterThanOrEqual(DEMO_EVENTS);
    expect(accepted).toBeLessThanOrEqual(DEMO_EVENTS + more + 10);
  });

  test("on pushes: each device gets a message once, whichever host has its subscription and whichever publishes", NEEDS, async () => {
    const users = numbers(1, 10).map((number) => ({ number, name: freshName(), devices: pair.urls.map((url) => ({ url, ...service.browser() })) }));
    for (const { name, devices } of users) {
      for (const { url, subscription } of devices) {
        expect((await fetch(`${url}/notifications/-/push/${name}`, { method: "PUT", body: JSON.stringify(subscription) })).status).toBe(200);
      }
    }
    const titleOf = (number: number) => `For ${number}`;
    await Promise.all(
      users.map(async ({ number, name }) => {
        const body = JSON.stringify({ type: "notification", id: "n", title: titleOf(number), body: "", at: 1 });
        const answer = await fetch(`${pair.urls[number % 2]}/notifications/${name}`, { method: "POST", headers: { "content-type": "application/json" }, body });
        expect(answer.status, await answer.text()).toBe(204);
      }),
    );
    // Both hosts look for what is due, again and again.
    const manage = mint(KEY, { aud: "notifications", ch: "cron", rights: ["manage"] });
    await eventually("all have it", async () => {
      const swept = await Promise.all(pair.urls.map((url) => fetch(`${url}/notifications/-/push/cron`, { method: "POST", headers: bearer(manage) })));
      expect(swept.map(({ status }) => status)).toEqual([200, 200]);
      return users.every(({ devices }) => devices.every(({ received }) => received.length > 0));
    });
    // Nothing of it comes twice.
    await delay(SLACK_MS);
    for (const { number, devices } of users) {
      expect(devices.map(({ received }) => received.map(({ message }) => message.notification.title))).toEqual([[titleOf(number)], [titleOf(number)]]);
    }
  });
});
