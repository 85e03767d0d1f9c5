// Web Push: subscriptions of a user's channel, and what reaches a page that is closed.

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { freshVapid, PushService, StrictService, type Says, type Subscription } from "../harness/push-service.ts";
import { PLATFORM } from "../harness/platform.ts";
import { Server } from "../harness/server.ts";
import { secret } from "../harness/secrets.ts";
import { inStore, storeFiles, tables } from "../harness/store.ts";
import { describeOwnServer, freshName, publish, publishAll, useServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys, type Claims } from "../harness/ticket.ts";

const DELAY_MS = 200;
/** Longer than a message takes. */
const QUIET_MS = 1_000;

let count = 0;
const notification = (title = `About ${++count}`) => ({ type: "notification", id: `n${++count}`, title, body: "", at: 1 });

describe("without VAPID_KEYS", () => {
  const server = useServer();

  test("there is no Web Push, and a page can hide its button", async () => {
    const push = `${server.url}/notifications/-/push/${freshName()}`;
    const answer = await fetch(push);
    expect([answer.status, await answer.json()]).toEqual([200, { key: null, subscriptions: [] }]);
    const body = JSON.stringify({ endpoint: "https://fcm.googleapis.com/a", keys: { p256dh: `B${"A".repeat(86)}`, auth: "A".repeat(22) } });
    const refused = await fetch(push, { method: "PUT", body });
    expect([refused.status, ((await refused.json()) as { type: string }).type]).toEqual([501, "urn:tidewire:not-supported"]);
  });

  test("a function without it has nothing at its address", async () => {
    expect((await fetch(`${server.url}/feed/-/push/${freshName()}`)).status).toBe(404);
  });
});

describeOwnServer("Web Push", () => {
  const vapid = freshVapid();
  const key = freshKey();
  let server: Server;
  let strict: StrictService;
  let service: PushService;

  beforeAll(async () => {
    [strict, service] = [await StrictService.start(), await PushService.start()];
    server = await Server.start({
      name: "push",
      vars: {
        OPEN_ACCESS: "false",
        TICKET_KEYS: ticketKeys(key),
        VAPID_KEYS: vapid.setting,
        VAPID_SUBJECT: "mailto:admin@example.com",
        // Spin's manifest has one place for a service of one's own, and a host allows any port of it here.
        PUSH_SERVICES: `${strict.origin},${service.origin}`,
        PUSH_ORIGIN: "http://127.0.0.1:*",
        PUSH_DELAY_MS: String(DELAY_MS),
        PUSH_MAX_SUBSCRIPTIONS: "5",
      },
    });
  });
  afterAll(async () => {
    strict?.stop();
    service?.stop();
    await server?.stop();
  });

  const bearer = (claims: Pick<Claims, "ch" | "rights"> & Partial<Claims>) => ({ authorization: `Bearer ${mint(key, { aud: "notifications", ...claims })}` });
  /** The channel of a fresh user, and how the user and a backend show that they may. */
  function user(name = `user-${freshName()}`) {
    const mine = bearer({ ch: name, rights: ["read", "publish"], sub: name });
    const backend = mint(key, { aud: "notifications", ch: "user-*", rights: ["publish", "manage"] });
    const channel = `${server.url}/notifications/${name}`;
    const push = `${server.url}/notifications/-/push/${name}`;
    return {
      name,
      channel,
      push,
      mine,
      backend,
      subscribe: async (subscription: Subscription, more: object = {}) => {
        const answer = await fetch(push, { method: "PUT", headers: mine, body: JSON.stringify({ ...subscription, ...more }) });
        expect(answer.status, await answer.clone().text()).toBe(200);
        return ((await answer.json()) as { id: string }).id;
      },
      list: async () => {
        const answer = await fetch(push, { headers: mine });
        expect(answer.status).toBe(200);
        return (await answer.json()) as { key: string; subscriptions: { id: string; name: string; lastSuccess: number | null; failure: string | null }[] };
      },
      notify: (event: object = notification()) => publish(channel, event, backend),
    };
  }
  const gone = async (it: ReturnType<typeof user>, left: number) =>
    eventually(`${left} are left`, async () => (await it.list()).subscriptions.length === left);

  test("a subscription is kept once, listed without its endpoint, and removed", async () => {
    const it = user();
    const { subscription } = service.browser();
    const id = await it.subscribe(subscription, { name: "Ann's phone" });
    expect(await it.subscribe({ ...subscription, expirationTime: null } as Subscription, { name: "Ann's phone" })).toBe(id);
    const { key: publicKey, subscriptions } = await it.list();
    expect(publicKey).toBe(vapid.publicKey);
    expect(subscriptions).toEqual([
      { id, name: "Ann's phone", service: new URL(service.origin).host, createdAt: expect.any(Number) as number, lastSuccess: null, lastFailure: null, failure: null },
    ]);
    for (const _ of [1, 2]) expect((await fetch(`${it.push}?id=${id}`, { method: "DELETE", headers: it.mine })).status).toBe(200);
    expect((await it.list()).subscriptions).toEqual([]);
  });

  test("only a reader of the channel may subscribe, see and remove", async () => {
    const it = user();
    const { subscription } = service.browser();
    for (const [headers, status] of [[{}, 401], [bearer({ ch: "user-other", rights: ["read"] }), 403], [bearer({ ch: it.name, rights: ["publish"] }), 403]] as const) {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const body = method === "PUT" ? { body: JSON.stringify(subscription) } : {};
        expect((await fetch(`${it.push}?id=a`, { method, headers, ...body })).status, method).toBe(status);
      }
    }
    expect((await fetch(it.push, { method: "POST", headers: it.mine })).status).toBe(403);
    expect((await it.list()).subscriptions).toEqual([]);
  });

  test("hostile subscriptions are refused, and nothing is sent", async () => {
    const it = user();
    const { subscription, received } = service.browser();
    const with_ = (endpoint: string) => ({ ...subscription, endpoint });
    const port = new URL(service.origin).port;
    for (const body of [
      with_("https://127.0.0.1/a"),
      with_("https://10.0.0.1/a"),
      with_("https://169.254.169.254/latest/meta-data"),
      with_("https://metadata.google.internal/"),
      with_(`http://127.0.0.1:${Number(port) ^ 1}/a`),
      with_(`http://user:pass@127.0.0.1:${port}/a`),
      with_(`http://127.0.0.1:${port}@evil.example/a`),
      with_("https://fcm.googleapis.com/fcm/send/a"),
      with_(`${service.origin}/${"a".repeat(3_000)}`),
      with_("file:///etc/passwd"),
      { ...subscription, keys: { ...subscription.keys, p256dh: "AA" } },
      { ...subscription, keys: { ...subscription.keys, auth: "AA" } },
      { ...subscription, page: "javascript:alert(1)" },
      { endpoint: 7 },
      [],
    ]) {
      const answer = await fetch(it.push, { method: "PUT", headers: it.mine, body: JSON.stringify(body) });
      expect([answer.status, ((await answer.json()) as { type: string }).type], JSON.stringify(body)).toEqual([400, "urn:tidewire:subscription-invalid"]);
    }
    const large = await fetch(it.push, { method: "PUT", headers: it.mine, body: JSON.stringify(with_(`${service.origin}/${"a".repeat(100_000)}`)) });
    expect(large.status).toBe(413);
    await it.notify();
    expect((await it.list()).subscriptions).toEqual([]);
    expect(received).toEqual([]);
  });

  test("a channel has so many", async () => {
    const it = user();
    for (let n = 0; n < 5; n++) await it.subscribe(service.browser().subscription);
    const answer = await fetch(it.push, { method: "PUT", headers: it.mine, body: JSON.stringify(service.browser().subscription) });
    expect([answer.status, ((await answer.json()) as { type: string }).type]).toEqual([409, "urn:tidewire:subscriptions-full"]);
  });

  test("a stranger's push service decrypts what a closed page gets, in order", async () => {
    const it = user();
    await it.notify(notification("before"));
    const { subscription, hash } = await strict.subscribe(vapid.publicKey);
    await it.subscribe(subscription, { page: "https://app.example/bell/" });
    const offset = await it.notify({ ...notification("Your order"), body: secret("It was sent today"), url: "/orders/17" });
    await eventually("the first came", async () => (await strict.received(hash)).length === 1);
    await it.notify(notification("Second"));
    await eventually("the second came", async () => (await strict.received(hash)).length === 2);
    const [first, second] = await strict.received(hash);
    expect(first).toMatchObject({
      web_push: 8030,
      notification: { title: "Your order", body: "It was sent today", navigate: "https://app.example/orders/17" },
      tidewire: { offset, at: 1, url: "/orders/17" },
    });
    expect(second!.notification.title).toBe("Second");
    await eventually("the success is listed", async () => (await it.list()).subscriptions[0]!.lastSuccess !== null);
    const stats = await fetch(`${server.url}/notifications/-/stats/${it.name}`, { headers: { authorization: `Bearer ${it.backend}` } });
    // Those of Spin are of one instance.
    if (PLATFORM === "workers") expect(await stats.json()).toMatchObject({ pushes: { sent: 2 } });
  });

  test("the request has what push services ask for", async () => {
    const it = user();
    const { subscription, received } = service.browser();
    await it.subscribe(subscription);
    await it.notify();
    await eventually("it came", () => received.length === 1);
    expect(received[0]!.headers).toMatchObject({ "content-encoding": "aes128gcm", urgency: "normal", authorization: expect.stringMatching(/^vapid t=[\w.-]+, k=[\w-]+$/) as string });
    expect(received[0]!.headers.topic).toMatch(/^[\w-]{32}$/);
    expect(Number(received[0]!.headers.ttl)).toBeGreaterThan(86_000);
  });

  test("what an open page shows is not pushed, to its device or another", async () => {
    const it = user();
    const devices = [service.browser(), service.browser()];
    for (const { subscription } of devices) await it.subscribe(subscription);
    let last = await it.notify({ type: "read-all", upTo: "-1" });
    for (const type of ["seen", "read-all"]) {
      // In one publish, so that no load of this machine comes between.
      const [epoch, seq] = last.split("_") as [string, string];
      const upTo = `${epoch}_${(parseInt(seq, 16) + 1).toString(16).padStart(14, "0")}`;
      last = await publishAll(it.channel, [notification(), { type, upTo }], it.mine.authorization.slice("Bearer ".length));
    }
    await delay(QUIET_MS);
    expect(devices.map(({ received }) => received)).toEqual([[], []]);
    // And the next that nobody sees is.
    await it.notify(notification("unseen"));
    await eventually("it came", () => devices.every(({ received }) => received.length === 1));
    expect(devices.map(({ received }) => received[0]!.message.notification.title)).toEqual(["unseen", "unseen"]);
  });

  test("many are one message", async () => {
    const it = user();
    const { subscription, received } = service.browser();
    await it.subscribe(subscription);
    await publishAll(it.channel, Array.from({ length: 10 }, (_, n) => notification(`of ${n}`)), it.backend);
    await eventually("it came", () => received.length === 1);
    await delay(QUIET_MS);
    expect(received.map(({ message }) => message.notification)).toEqual([{ title: "of 9", body: "and 9 more" }]);
  });

  test("a device whose subscription has ended is removed, and the others are served", async () => {
    const it = user();
    const { subscription, hash } = await strict.subscribe(vapid.publicKey);
    await strict.expire(hash);
    const ended = [404, 410, 301].map((status) => service.browser({ status, headers: { location: "http://127.0.0.1:1/" } }));
    const other = service.browser();
    for (const one of [subscription, ...ended.map((one) => one.subscription), other.subscription]) await it.subscribe(one);
    await it.notify();
    await gone(it, 1);
    await eventually("the other has it", () => other.received.length > 0);
    expect([...ended, other].map(({ received }) => received.length)).toEqual([1, 1, 1, 1]);
  });

  test("what a service finds too large is sent shorter", async () => {
    const it = user();
    const { subscription, received } = service.browser({ status: 413 });
    await it.subscribe(subscription);
    await it.notify({ ...notification("long"), body: "x".repeat(400) });
    await eventually("it came twice", () => received.length === 2);
    expect(received[1]!.bytes).toBeLessThan(received[0]!.bytes);
    expect(received[1]!.message.notification).toEqual({ title: "long", body: "" });
  });

  test("a service in trouble is left alone for a while, and the user sees it", async () => {
    const trouble: Says[] = [{ status: 500 }, { status: 429, headers: { "retry-after": "120" } }, "silence"];
    const users = trouble.map((says) => ({ it: user(), ...service.browser(says) }));
    for (const { it, subscription } of users) await it.subscribe(subscription);
    for (const { it } of users) await it.notify();
    for (const { it } of users) {
      await eventually("the failure is listed", async () => (await it.list()).subscriptions[0]!.failure === "later", 15_000);
    }
    await delay(QUIET_MS);
    expect(users.map(({ received }) => received.length)).toEqual([1, 1, 1]);
  });

  test("after 429 a minute passes, although Retry-After says less, and then the message comes", { tags: ["sqlite"] }, async () => {
    const it = user();
    const { subscription, received } = service.browser({ status: 429, headers: { "retry-after": "2" } });
    await it.subscribe(subscription);
    const begin = Date.now();
    await it.notify(notification("in the end"));
    await eventually("the failure is listed", async () => (await it.list()).subscriptions[0]!.failure === "later");
    const end = Date.now();
    await server.end("SIGTERM");
    // No test waits for a minute: it is over by the store.
    const path = new URL(subscription.endpoint).pathname;
    const due = storeFiles(server).flatMap((file) =>
      inStore(
        file,
        (database) => {
          if (!tables(database).includes("push")) return [];
          const found = database.prepare("SELECT due_ms FROM push WHERE instr(data, ?) > 0").all(path);
          database.prepare("UPDATE push SET due_ms = due_ms - 60000 WHERE instr(data, ?) > 0").run(path);
          return found.map(({ due_ms }) => Number(due_ms));
        },
        "write",
      ),
    );
    expect(due).toHaveLength(1);
    expect(due[0]).toBeGreaterThanOrEqual(begin + 60_000);
    expect(due[0]).toBeLessThanOrEqual(end + 60_000);
    await server.restart();
    await fetch(it.push, { method: "POST", headers: { authorization: `Bearer ${it.backend}` } });
    await eventually("it came", () => received.length === 2);
    expect(received.map(({ message }) => message.notification.title)).toEqual(["in the end", "in the end"]);
    await eventually("the success is listed", async () => (await it.list()).subscriptions[0]!.failure === null);
  });

  test("a refused key is told to the operator", async () => {
    const it = user();
    const refusal: Says = { status: 403, body: '{"reason":"BadJwtToken"}' };
    const { subscription, received } = service.browser(refusal, refusal);
    await it.subscribe(subscription);
    await it.notify();
    await eventually("the failure is listed", async () => (await it.list()).subscriptions[0]?.failure === "refused");
    expect(received).toHaveLength(2);
    expect(server.log()).toMatch(/"event":"push".*VAPID_SUBJECT|VAPID_SUBJECT.*"event":"push"/);
    expect(server.log()).toContain("BadJwtToken");
  });

  test("a revoked reader, a deleted channel and an erased tenant leave no subscription", async () => {
    // Nobody manages channels under `demo-`.
    const tenant = freshName().replace("demo-", "");
    const [revoked, deleted, erased] = [user(), user(), user(`${tenant}:a`)];
    const browsers = [revoked, deleted, erased].map(() => service.browser());
    await Promise.all([revoked, deleted, erased].map((it, index) => it.subscribe(browsers[index]!.subscription)));
    await deleted.notify();
    await eventually("it came", () => browsers[1]!.received.length === 1);
    const manage = { authorization: `Bearer ${deleted.backend}` };
    const post = { method: "POST", headers: manage, body: JSON.stringify({ subject: revoked.name }) };
    expect((await fetch(`${server.url}/notifications/-/revoke/${revoked.name}`, post)).status).toBe(204);
    expect((await fetch(deleted.channel, { method: "DELETE", headers: manage })).status).toBe(204);
    const whole = bearer({ ch: `${tenant}:*`, rights: ["manage"] });
    expect((await fetch(`${server.url}/notifications/-/tenant/${tenant}`, { method: "DELETE", headers: whole })).status).toBe(204);
    for (const { subscription } of browsers) {
      await eventually("its row is gone", async () => {
        // Reads seldom, since a reader of the database blocks its owner.
        await delay(300);
        return server.rows(new RegExp(new URL(subscription.endpoint).pathname)).length === 0;
      });
    }
    await revoked.notify();
    await delay(QUIET_MS);
    expect(browsers[0]!.received).toEqual([]);
  });

  test("killed between acknowledgement and push, the message comes after the restart", async () => {
    const it = user();
    const { subscription, received } = service.browser();
    await it.subscribe(subscription);
    await it.notify(notification("survives"));
    await server.kill9();
    expect(received).toEqual([]);
    await server.restart();
    // On Spin any request starts the sweep.
    await eventually("it came", async () => {
      await it.list();
      return received.length > 0;
    });
    await delay(QUIET_MS);
    expect(received.map(({ message }) => message.notification.title)).toEqual(["survives"]);
  });

  test("cron sends what a crash left", async () => {
    const it = user();
    const { subscription, received } = service.browser();
    await it.subscribe(subscription);
    await it.notify(notification("left"));
    await server.kill9();
    await server.restart();
    // It is due by now.
    await delay(2 * DELAY_MS);
    // On Spin nothing else has come: it answers when all is sent. On Workers it sets the alarm.
    const swept = await fetch(it.push, { method: "POST", headers: { authorization: `Bearer ${it.backend}` } });
    expect([swept.status, await swept.json()]).toEqual([200, {}]);
    if (PLATFORM === "spin") expect(received).toHaveLength(1);
    await eventually("it came", () => received.length > 0);
    await delay(QUIET_MS);
    expect(received.map(({ message }) => message.notification.title)).toEqual(["left"]);
  });

  test("after a rotation a subscription keeps its key, a new one gets the new key, and one whose key is gone is removed", async () => {
    const it = user();
    const [old, young] = [service.browser(), service.browser()];
    const next = freshVapid("k2");
    const keyOf = ({ received }: typeof old, index: number) => /k=([\w-]+)/.exec(received[index]!.headers.authorization!)![1];
    await it.subscribe(old.subscription);
    await server.end("SIGTERM");
    await server.restart({ VAPID_KEYS: `${next.setting},${vapid.setting}` });
    expect((await it.list()).key).toBe(next.publicKey);
    await it.subscribe(young.subscription);
    await it.notify();
    await eventually("both have it", () => old.received.length + young.received.length === 2);
    expect([keyOf(old, 0), keyOf(young, 0)]).toEqual([vapid.publicKey, next.publicKey]);
    // A delivery that is not noted is reserved for a minute.
    await eventually("both are noted", async () => (await it.list()).subscriptions.every(({ lastSuccess }) => lastSuccess !== null));
    await server.end("SIGTERM");
    await server.restart({ VAPID_KEYS: next.setting });
    await it.notify();
    await eventually("the young one has it", () => young.received.length === 2);
    await gone(it, 1);
    expect(old.received).toHaveLength(1);
    await server.end("SIGTERM");
    await server.restart({ VAPID_KEYS: vapid.setting });
  });
});
