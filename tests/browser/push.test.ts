// Web Push in a real browser: the page, its service worker, and what the user sees.

import type { CDPSession, Page, Worker } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { freshVapid, PushService, type Message, type Subscription } from "../harness/push-service.ts";
import { Server } from "../harness/server.ts";
import { describeOwnServer, freshName, publish } from "../harness/suite.ts";

const browser = useBrowser({ notifies: true });
/** What no page has shown for so long is pushed. */
const DELAY_MS = 8_000;
let count = 0;
const notification = (title: string, more = {}) => ({ type: "notification", id: `n${++count}`, title, body: "", at: Date.now(), ...more });

describeOwnServer("the page of a server with Web Push", () => {
  const vapid = freshVapid();
  let service: PushService;
  let server: Server;

  beforeAll(async () => {
    service = await PushService.start();
    server = await Server.start({
      name: "browser-push",
      vars: {
        OPEN_ACCESS: "true",
        VAPID_KEYS: vapid.setting,
        VAPID_SUBJECT: "mailto:admin@example.com",
        PUSH_SERVICES: service.origin,
        PUSH_ORIGIN: service.origin,
        // A page says within a second what it shows, if its machine is not busy.
        PUSH_DELAY_MS: String(DELAY_MS),
      },
    });
  });
  afterAll(async () => {
    service?.stop();
    await server?.stop();
  });

  /** A browser without a push service of its own gets this subscription. */
  async function open(name: string, permission: "granted" | "denied", subscription?: Subscription, prepare?: (page: Page) => Promise<void>) {
    const opened = await browser.open(`${server.url}/notifications/?channel=${name}`, async (page) => {
      await prepare?.(page);
      if (permission === "granted") await page.context().grantPermissions(["notifications"], { origin: server.url });
      await page.addInitScript(
        ({ subscription, permission }) => {
          let current: object | null = null;
          const of = (key: string) => ({
            ...subscription,
            toJSON: () => subscription,
            unsubscribe: async () => !(current = null),
            options: { applicationServerKey: Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)).buffer },
          });
          Object.defineProperty(Notification, "permission", { get: () => permission });
          PushManager.prototype.subscribe = async (options) => (current = of(options!.applicationServerKey as string)) as unknown as PushSubscription;
          PushManager.prototype.getSubscription = async () => current as PushSubscription | null;
        },
        { subscription, permission },
      );
    });
    await eventually("the page is live", async () => (await opened.page.getAttribute('[data-role="state"]', "data-state")) === "live", 60_000);
    return opened;
  }

  const text = (page: Page) => page.innerText('[data-role="push-text"]');

  /** Hands a message to the page's service worker, as the browser does. */
  async function deliver(page: Page, message: Message): Promise<void> {
    const devtools: CDPSession = await page.context().newCDPSession(page);
    const registration = new Promise<string>((found) => {
      devtools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
        const ours = registrations.find(({ scopeURL }) => scopeURL === `${server.url}/notifications/`);
        if (ours) found(ours.registrationId);
      });
    });
    await devtools.send("ServiceWorker.enable");
    await devtools.send("ServiceWorker.deliverPushMessage", { origin: server.url, registrationId: await registration, data: JSON.stringify(message) });
  }

  const shown = (page: Page) =>
    page.evaluate(async () => {
      const { active } = (await navigator.serviceWorker.getRegistration())!;
      const registration = await navigator.serviceWorker.ready;
      const notifications = await registration.getNotifications();
      return { state: active?.state, titles: notifications.map(({ title, body, tag }) => ({ title, body, tag })) };
    });

  test("a click subscribes, a push is shown, what was read closes it, and a click on it focuses the page", async () => {
    const name = freshName();
    const { subscription, received } = service.browser();
    const { page, errors } = await open(name, "granted", subscription);
    await expect.poll(() => text(page)).toMatch(/^Get notifications on this device/);
    await page.click('[data-role="push-switch"]');
    await expect.poll(() => text(page)).toMatch(/^This device gets/);
    await expect.poll(() => page.locator('[data-role="devices"] li').count()).toBe(1);

    // A page that is visible says what it shows: nothing is pushed.
    const channel = `${server.url}/notifications/${name}`;
    await publish(channel, notification("seen"));
    await eventually("the page says so", async () => ((await (await fetch(channel)).json()) as { type: string }[]).some(({ type }) => type === "seen"));
    await publish(channel, notification("also seen"));
    await page.waitForTimeout(DELAY_MS + 1_500);
    expect(received).toEqual([]);

    // As if the page had been closed: the message that is pushed is given to the worker.
    const offset = await publish(channel, notification("Your order", { id: "order-17", body: "was sent" }));
    const message = { notification: { title: "Your order", body: "was sent" }, tidewire: { id: "order-17", offset, at: 1 } };
    for (const _ of [1, 2]) await deliver(page, message);
    await expect.poll(async () => (await shown(page)).titles).toEqual([{ title: "Your order", body: "was sent", tag: "order-17" }]);

    // There is no command for a click.
    const worker = page.context().serviceWorkers()[0] as Worker;
    await worker.evaluate(async () => {
      const scope = self as unknown as ServiceWorkerGlobalScopeLike;
      const [notification] = await scope.registration.getNotifications();
      const event = Object.assign(new Event("notificationclick"), { notification, waitUntil: () => {} });
      scope.dispatchEvent(event);
    });
    await eventually("it is read", async () => (await page.locator("li[data-unread] a").allTextContents()).every((title) => title !== "Your order"));
    await expect.poll(async () => (await shown(page)).titles).toEqual([]);
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain("Your order");

    await page.click('[data-role="push-switch"]');
    await expect.poll(() => page.locator('[data-role="devices"] li').count()).toBe(0);
    expect(errors.filter((error) => !error.includes("not allowed to focus"))).toEqual([]);
  });

  test("a click is not offered before there is a worker", async () => {
    const { subscription } = service.browser();
    const { page } = await open(freshName(), "granted", subscription, async (page) => {
      await page.addInitScript(() => {
        const register = ServiceWorkerContainer.prototype.register;
        ServiceWorkerContainer.prototype.register = async function (...given) {
          await new Promise<void>((done) => Object.assign(window, { goOn: done }));
          return register.apply(this, given);
        };
      });
    });
    await expect.poll(() => page.evaluate(() => "goOn" in window)).toBe(true);
    expect(await page.isVisible('[data-role="push-switch"]')).toBe(false);
    await page.evaluate(() => (window as unknown as { goOn: () => void }).goOn());
    await page.click('[data-role="push-switch"]');
    await expect.poll(() => text(page)).toMatch(/^This device gets/);
  });

  test("a second click, while the first is under way, does not take it back", async () => {
    const { subscription } = service.browser();
    const { page, errors } = await open(freshName(), "granted", subscription);
    await expect.poll(() => text(page)).toMatch(/^Get notifications on this device/);
    const asked: string[] = [];
    let go: (() => void) | undefined;
    await page.route("**/-/push/**", async (route) => {
      asked.push(route.request().method());
      if (!go) await new Promise<void>((done) => (go = done));
      await route.fallback();
    });
    await page.click('[data-role="push-switch"]');
    await eventually("it is under way", () => go !== undefined);
    await page.click('[data-role="push-switch"]');
    go!();
    await expect.poll(() => text(page)).toMatch(/^This device gets/);
    expect(asked).toEqual(["PUT", "GET"]);
    expect(errors).toEqual([]);
  });

  test("a page says what is so where notifications are blocked", async () => {
    const { page, errors } = await open(freshName(), "denied");
    await expect.poll(() => text(page)).toMatch(/^Notifications are blocked for this site/);
    expect(await page.isVisible('[data-role="push-switch"]')).toBe(false);
    expect(errors).toEqual([]);
  });

  test("a page says what is so where the browser has no Web Push", async () => {
    const { page } = await browser.open(`${server.url}/notifications/?channel=${freshName()}`, async (page) => {
      await page.addInitScript(() => void Reflect.deleteProperty(window, "PushManager"));
    });
    await expect.poll(() => text(page)).toMatch(/^This browser cannot/);
    expect(await page.isVisible('[data-role="push-switch"]')).toBe(false);
  });
});

interface ServiceWorkerGlobalScopeLike extends EventTarget {
  registration: ServiceWorkerRegistration;
}
