// The bell in a real browser: several tabs of a user, and somebody who notifies.

import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { moduleOf, takeScreenshots, useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { freshKey, inSeconds, mint, ticketKeys } from "../harness/ticket.ts";
import { describeOwnServer, freshName, publish, useOwnServer, useServer } from "../harness/suite.ts";

const browser = useBrowser();

/** Events of a channel, on the server of their own. */
const KEPT = 8;

let count = 0;
const notification = (title: string, more = {}) => ({ type: "notification", id: `n${++count}`, title, body: "", at: Date.now(), ...more });

/** A tab of a user, by what the page shows. */
class Tab {
  readonly page: Page;
  readonly errors: string[];

  constructor({ page, errors }: { page: Page; errors: string[] }) {
    this.page = page;
    this.errors = errors;
  }

  static async open(url: string): Promise<Tab> {
    const tab = new Tab(await browser.open(url));
    await tab.is("live");
    return tab;
  }

  async is(state: string): Promise<void> {
    await eventually(`the page is ${state}`, async () => (await this.page.getAttribute('[data-role="state"]', "data-state")) === state, 60_000);
  }

  row(title: string) {
    return this.page.locator("li", { has: this.page.getByText(title, { exact: true }) });
  }

  /** The titles, the newest first, and the number at the bell, in the title and in words. */
  async sees(titles: { unread: string[]; read: string[] }): Promise<void> {
    const { unread } = titles;
    const shown = async () => ({
      unread: await this.page.locator("li[data-unread] a").allTextContents(),
      read: await this.page.locator("li:not([data-unread]) a").allTextContents(),
    });
    await expect.poll(shown, { timeout: 60_000 }).toEqual(titles);
    await expect.poll(() => this.page.innerText('[data-role="count"]')).toBe(unread.length ? String(unread.length) : "");
    await expect.poll(() => this.page.title()).toMatch(unread.length ? new RegExp(`^\\(${unread.length}\\) `) : /^[^(]/);
    await expect.poll(() => this.page.getAttribute('[data-role="bell"]', "aria-label")).toBe(unread.length ? `Notifications, ${unread.length} unread` : "Notifications");
    await expect.poll(() => this.page.innerText('[data-role="summary"]')).toMatch(unread.length ? `${unread.length} unread` : /^(All read|Nothing yet)$/);
  }

  async send(to: string, title: string, more: { body?: string; url?: string } = {}): Promise<void> {
    for (const [field, text] of Object.entries({ to, title, ...more })) await this.page.fill(`[data-role="${field}"]`, text);
    await this.page.click("form button");
  }

  outcome(): Promise<string> {
    return this.page.innerText('[data-role="outcome"]');
  }
}

describe("the notifications page", () => {
  const server = useServer();
  const url = (name: string) => `${server.url}/notifications/?channel=${name}`;

  test("what is read in one tab is read in the other, and in one that is opened later", async () => {
    const name = freshName();
    const [one, two] = [await Tab.open(url(name)), await Tab.open(url(name))];
    await one.sees({ unread: [], read: [] });
    for (const title of ["a", "b", "c"]) await publish(`${server.url}/notifications/${name}`, notification(title));
    for (const tab of [one, two]) await tab.sees({ unread: ["c", "b", "a"], read: [] });
    await one.row("b").getByRole("button").click();
    for (const tab of [one, two]) await tab.sees({ unread: ["c", "a"], read: ["b"] });
    await expect.poll(() => two.row("b").getByRole("button").count()).toBe(0);
    await two.page.click('[data-role="read-all"]');
    for (const tab of [one, two]) await tab.sees({ unread: [], read: ["c", "b", "a"] });
    await expect.poll(() => one.page.isDisabled('[data-role="read-all"]')).toBe(true);
    const late = await Tab.open(url(name));
    await late.sees({ unread: [], read: ["c", "b", "a"] });
    await two.page.click('[data-role="bell"]');
    await expect.poll(() => two.page.locator("ol").isVisible()).toBe(false);
    expect([one, two, late].flatMap(({ errors }) => errors)).toEqual([]);
  });

  test("a mark does not wait for one that is on its way", async () => {
    const name = freshName();
    for (const title of ["a", "b"]) await publish(`${server.url}/notifications/${name}`, notification(title));
    const tab = await Tab.open(url(name));
    await tab.sees({ unread: ["b", "a"], read: [] });
    let isFirst = true;
    await tab.page.route(/demo-test-/, async (route) => {
      // The first one never arrives.
      if (route.request().method() === "POST" && isFirst) isFirst = false;
      else await route.fallback();
    });
    await tab.row("a").getByRole("button").click();
    await eventually("the first is on its way", () => !isFirst);
    await tab.row("b").getByRole("button").click();
    await tab.sees({ unread: ["a"], read: ["b"] });
    expect(tab.errors).toEqual([]);
  });

  test("what came and is not painted yet is not among all that was read", async () => {
    const name = freshName();
    const channel = `${server.url}/notifications/${name}`;
    await publish(channel, notification("a"));
    const tab = await Tab.open(url(name));
    await tab.sees({ unread: ["a"], read: [] });
    const inbox = await moduleOf(tab.page, `${server.url}/notifications/-/inbox.js`);
    const pressed = inbox.evaluate(
      ({ Inbox }) =>
        new Promise<void>((done) => {
          const { take } = Inbox.prototype;
          Inbox.prototype.take = function (...given: unknown[]) {
            Inbox.prototype.take = take;
            take.apply(this, given);
            // Before the next frame.
            queueMicrotask(() => {
              document.querySelector<HTMLElement>('[data-role="read-all"]')!.click();
              done();
            });
          };
        }),
    );
    // The page has it by now, since its answer comes after that of the call before.
    await tab.page.evaluate(() => {});
    await publish(channel, notification("b"));
    await pressed;
    await tab.sees({ unread: ["b"], read: ["a"] });
    expect(tab.errors).toEqual([]);
  });

  test("one sends to a group, and each of it is told; a name that cannot be is named", async () => {
    const [ann, bo] = [freshName(), freshName()];
    const [first, second] = [await Tab.open(url(ann)), await Tab.open(url(bo))];
    await first.send(`${ann}, ${bo} ${ann}`, "Lunch", { body: "At one,\nin the <b>yard</b>", url: "/menu" });
    await eventually("it is sent", async () => (await first.outcome()) === `Sent to ${ann}, ${bo}.`);
    for (const tab of [first, second]) await tab.sees({ unread: ["Lunch"], read: [] });
    await expect.poll(() => second.row("Lunch").locator("p").textContent()).toBe("At one,\nin the <b>yard</b>");
    await first.send(`${bo}, a/b`, "Two");
    await eventually("the refusal is told", async () => new RegExp(`^${bo}: sent\na/b: .*name`).test(await first.outcome()));
    await second.sees({ unread: ["Two", "Lunch"], read: [] });
    // Its link leads on, and marks it on the way.
    await second.row("Lunch").getByRole("link").click();
    await second.page.waitForURL("**/menu");
    const back = await Tab.open(url(bo));
    await back.sees({ unread: ["Two"], read: ["Lunch"] });
    expect(first.errors.filter((error) => !/\(400 /.test(error) && !error.includes("status of 400"))).toEqual([]);
  });

  test("a later one of the same id takes the place of the earlier, and is unread again", async () => {
    const name = freshName();
    const tab = await Tab.open(url(name));
    const room = (title: string, at: number) => publish(`${server.url}/notifications/${name}`, notification(title, { id: "room-7", at }));
    await room("1 message", 1);
    await tab.sees({ unread: ["1 message"], read: [] });
    await tab.row("1 message").getByRole("button").click();
    await tab.sees({ unread: [], read: ["1 message"] });
    await publish(`${server.url}/notifications/${name}`, notification("other"));
    await room("2 messages", 2);
    await tab.sees({ unread: ["2 messages", "other"], read: [] });
    expect(tab.errors).toEqual([]);
  });

  test("is worked by keyboard alone, which does not lose its place", async () => {
    const name = freshName();
    for (const title of ["a", "b", "c"]) await publish(`${server.url}/notifications/${name}`, notification(title));
    const tab = await Tab.open(url(name));
    await tab.sees({ unread: ["c", "b", "a"], read: [] });
    const focused = () => tab.page.evaluate(() => document.activeElement!.closest("li")?.querySelector("a")!.textContent ?? (document.activeElement as HTMLElement).dataset.role);
    for (const key of ["Tab", "Tab", "Tab"]) await tab.page.keyboard.press(key);
    await expect.poll(() => focused()).toBe("c");
    await tab.page.keyboard.press("Enter");
    await tab.sees({ unread: ["b", "a"], read: ["c"] });
    await expect.poll(() => focused()).toBe("b");
    await publish(`${server.url}/notifications/${name}`, notification("d"));
    await tab.sees({ unread: ["d", "b", "a"], read: ["c"] });
    await expect.poll(() => focused()).toBe("b");
    await tab.page.keyboard.press("Enter");
    await tab.page.keyboard.press("Enter");
    await tab.sees({ unread: ["d"], read: ["c", "b", "a"] });
    await expect.poll(() => focused()).toBe("bell");
    await tab.page.keyboard.press("Enter");
    await expect.poll(() => tab.page.getAttribute('[data-role="bell"]', "aria-expanded")).toBe("false");
    await tab.page.focus('[data-role="title"]');
    await tab.page.keyboard.type("e");
    await tab.page.keyboard.press("Enter");
    await tab.sees({ unread: ["e", "d"], read: ["c", "b", "a"] });
    expect(tab.errors).toEqual([]);
  });

  test("looks right, wide and narrow, light and dark", async () => {
    const name = freshName();
    const channel = `${server.url}/notifications/${name}`;
    const tab = await Tab.open(url(name));
    await takeScreenshots(tab.page, "notifications-empty");
    const read = [
      notification("Invoice 2041 was paid"),
      notification("Cleo Papadimitriou mentioned you in “Hall 3”", { body: "@ann the sensor again? See https://example.com/a/very/long/address/that/does/not/break/anywhere/because/it/has/no/spaces", url: "/rooms/3" }),
    ];
    for (const event of read) await publish(channel, { type: "read", offset: await publish(channel, event) });
    await publish(channel, notification("Your order has been sent", { body: "Two parcels, to arrive on Tuesday.", url: "/orders/17" }));
    await publish(channel, notification("W".repeat(200)));
    await publish(channel, notification("تم شحن طلبك", { body: "👩‍👩‍👧‍👦 ".repeat(30) }));
    await eventually("five are shown", async () => (await tab.page.locator("li").count()) === 5);
    await tab.send(`${name}, a/b`, "Lunch");
    await eventually("the refusal is told", async () => /^a\/b: /m.test(await tab.outcome()));
    await eventually("six are shown", async () => (await tab.page.locator("li").count()) === 6);
    await takeScreenshots(tab.page, "notifications");
  });
});

describeOwnServer("the notifications page on a server of its own", () => {
  const server = useOwnServer("browser-notifications-own", { RETRY_MS: "200", RETENTION_MAX_EVENTS: String(KEPT) });

  async function throughProxy(): Promise<{ proxy: Proxy; channel: string; url: string }> {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const name = freshName();
    return { proxy, channel: `${server.url}/notifications/${name}`, url: `${proxy.url}/notifications/?channel=${name}` };
  }

  test("rides out a cut connection and a killed server, and what was marked meanwhile is marked", async () => {
    const { proxy, channel, url } = await throughProxy();
    const [one, two] = [await Tab.open(url), await Tab.open(url)];
    await publish(channel, notification("a"));
    await publish(channel, notification("b"));
    for (const tab of [one, two]) await tab.sees({ unread: ["b", "a"], read: [] });
    proxy.cut();
    await one.row("a").getByRole("button").click();
    await publish(channel, notification("c"));
    for (const tab of [one, two]) await tab.sees({ unread: ["c", "b"], read: ["a"] });
    await server.kill9();
    for (const tab of [one, two]) await tab.is("reconnecting");
    await one.row("b").getByRole("button").click();
    await server.restart();
    await publish(channel, notification("d"));
    for (const tab of [one, two]) await tab.sees({ unread: ["d", "c"], read: ["b", "a"] });
    for (const tab of [one, two]) await tab.is("live");
  });

  test("a tab that was hidden for long shows what came, also when its connection died in silence", async () => {
    const { proxy, channel, url } = await throughProxy();
    const tab = await Tab.open(url);
    await publish(channel, notification("a"));
    await tab.sees({ unread: ["a"], read: [] });
    const hide = (isHidden: boolean) =>
      tab.page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, isHidden);
    await hide(true);
    await publish(channel, notification("b"));
    // The title of a hidden tab is all that is seen of it.
    await eventually("its title says so", async () => (await tab.page.title()).startsWith("(2) "));
    // Whichever connection it is: the browser keeps others open.
    const stalls = Array.from({ length: 6 }, (_, victim) => ({ kind: "stall", direction: "down", afterBytes: 1, delayMs: 0, victim: victim / 6 }) as const);
    stalls.forEach((fault) => proxy.disturb(fault));
    await publish(channel, notification("c"));
    await eventually("the connection is dead", () => proxy.struck.stall > 0);
    proxy.calm();
    await publish(channel, notification("d"));
    await tab.page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 3_600_000;
    });
    await hide(false);
    await tab.sees({ unread: ["d", "c", "b", "a"], read: [] });
    expect(tab.errors).toEqual([]);
  });

  test("who was away for too long begins anew with what is kept", async () => {
    const { proxy, channel, url } = await throughProxy();
    const tab = await Tab.open(url);
    const offset = await publish(channel, notification("a"));
    await publish(channel, notification("b"));
    await tab.sees({ unread: ["b", "a"], read: [] });
    await tab.page.context().setOffline(true);
    proxy.cut();
    await tab.is("reconnecting");
    await publish(channel, { type: "read", offset });
    const kept = Array.from({ length: KEPT }, (_, index) => notification(`later ${index}`));
    for (const event of kept) await publish(channel, event);
    await tab.page.context().setOffline(false);
    await tab.sees({ unread: kept.map(({ title }) => title).reverse(), read: [] });
    await publish(channel, notification("end"));
    await eventually("it goes on", async () => (await tab.page.title()).startsWith(`(${KEPT + 1}) `));
  });

  test("says why nothing will come", async () => {
    const { url } = await throughProxy();
    const refused = new Tab(await browser.open(url.replace("demo-", "demo%20")));
    await refused.is("refused");
    await expect.poll(() => refused.page.innerText('[data-role="problem"]')).toMatch(/channel name/);
    // A channel that was closed, by hand: the page alone is looked at.
    const closed = async (page: Page) => {
      await page.route(/demo-test-[^/]*offset=/, (route) => {
        const isStream = route.request().headers().accept === "text/event-stream";
        return route.fulfill(isStream ? { status: 204 } : { status: 200, headers: { "stream-closed": "true", "stream-next-offset": "-1" }, json: [] });
      });
    };
    const finished = new Tab(await browser.open(url, closed));
    await finished.is("finished");
    await expect.poll(() => finished.page.innerText('[data-role="problem"]')).toMatch(/closed/);
    expect(finished.errors).toEqual([]);
  });
});

describeOwnServer("the notifications page of a user with a ticket", () => {
  const key = freshKey();
  const server = useOwnServer("browser-notifications-ticket", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(key), RETRY_MS: "200" });

  test("goes on with a fresh ticket when one ends, and says so when there is none", async () => {
    const channel = `${server.url}/notifications/user-ann`;
    const notify = async (title: string) => {
      const headers = { "content-type": "application/json", authorization: `Bearer ${mint(key, { aud: "notifications", ch: "user-*", rights: ["publish"] })}` };
      const answer = await fetch(channel, { method: "POST", headers, body: JSON.stringify(notification(title)) });
      expect(answer.status, await answer.text()).toBe(204);
    };
    let logins = 0;
    let isLoggedIn = true;
    const { page } = await browser.open("about:blank");
    // What a copier changes, and the backend that it names: tickets of a few seconds.
    await page.route("**/-/access.js", async (route) => {
      const script = await (await route.fetch()).text();
      await route.fulfill({ contentType: "text/javascript", body: script.replace('ticketFrom("")', 'ticketFrom("/login")') });
    });
    await page.route("**/login", async (route) => {
      if (!isLoggedIn) return route.fulfill({ status: 401 });
      logins += 1;
      const ticket = mint(key, { aud: "notifications", ch: "user-ann", rights: ["read", "publish"], exp: inSeconds(4) });
      await page.context().addCookies([{ name: "tidewire-ticket", value: ticket, url: server.url, httpOnly: true, sameSite: "Lax" }]);
      await route.fulfill({ status: 204 });
    });
    await page.goto(`${server.url}/notifications/?channel=user-ann`);
    const tab = new Tab({ page, errors: [] });
    await tab.is("live");
    await notify("a");
    await tab.sees({ unread: ["a"], read: [] });
    await eventually("two tickets have ended", () => logins > 2, 60_000);
    await notify("b");
    await tab.sees({ unread: ["b", "a"], read: [] });
    await tab.row("a").getByRole("button").click();
    await tab.sees({ unread: ["b"], read: ["a"] });
    isLoggedIn = false;
    await tab.is("refused");
    await expect.poll(() => page.innerText('[data-role="problem"]')).not.toBe("");
  });
});
