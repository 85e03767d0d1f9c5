// Web Push for many at once: a push is due for each of two hundred users, and each device gets its message once.

import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { freshVapid, PushService } from "../harness/push-service.ts";
import { Server } from "../harness/server.ts";
import { COMMON } from "../harness/shared.ts";
import { describeOwnServer, freshName, numbers, publish } from "../harness/suite.ts";

const USERS = 200;
/** Requests at once. */
const TOGETHER = 16;
const LIMIT_MS = 60_000;

/** Does it for all, so many at a time. */
async function each<T>(all: T[], work: (one: T) => Promise<unknown>): Promise<void> {
  const left = all.values();
  const worker = async () => {
    for (const one of left) await work(one);
  };
  await Promise.all(numbers(1, TOGETHER).map(worker));
}

describeOwnServer("push for many", () => {
  test(`${USERS} users with a push that is due get it, each once`, { timeout: 120_000 }, async () => {
    const service = await PushService.start();
    onTestFinished(() => service.stop());
    const vars = { VAPID_KEYS: freshVapid().setting, VAPID_SUBJECT: "mailto:admin@example.com", PUSH_SERVICES: service.origin, PUSH_ORIGIN: "http://127.0.0.1:*", PUSH_DELAY_MS: "1000" };
    const server = await Server.start({ name: "push-many", vars: { ...COMMON, ...vars } });
    onTestFinished(() => server.stop());
    const base = `${server.url}/notifications`;
    const users = numbers(1, USERS).map((number) => ({ number, name: freshName(), ...service.browser() }));
    await each(users, async ({ name, subscription }) => {
      const answer = await fetch(`${base}/-/push/${name}`, { method: "PUT", body: JSON.stringify(subscription) });
      expect(answer.status, await answer.text()).toBe(200);
    });
    const begin = performance.now();
    await each(users, ({ name, number }) => publish(`${base}/${name}`, { type: "notification", id: "n", title: `For ${number}`, body: "", at: 1 }));
    const published = performance.now();
    await eventually("all have it", () => users.every(({ received }) => received.length > 0), LIMIT_MS);
    const ends = users.map(({ received }) => received[0]!.at);
    // Nothing of it comes twice.
    await delay(1_000);
    expect(users.map(({ received }) => received.map(({ message }) => message.notification.title))).toEqual(users.map(({ number }) => [`For ${number}`]));
    const seconds = (end: number) => ((end - begin) / 1_000).toFixed(1);
    console.log(`${USERS} publishes in ${seconds(published)} s, all pushes after ${seconds(Math.max(...ends))} s`);
  });
});
