// The status board in a real browser, with a second page that sees it change.

import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { describeOwnServer, freshName, publish, useOwnServer, useServer } from "../harness/suite.ts";

const pages = useBrowser();

/** What the page says about itself. */
interface Status {
  polls: number;
  notModified: number;
  savedBytes: number;
  offset: string;
  intervalS: number;
}

const statusOf = (page: Page) => page.evaluate(() => (window as unknown as { tidewireStatus: Status }).tidewireStatus);
const text = (page: Page, role: string) => page.innerText(`[data-role="${role}"]`);
const is = (page: Page, component: string) => page.getAttribute(`[data-component="${component}"]`, "data-is");
const set = (page: Page, component: string, state: string) => page.click(`[data-component="${component}"] [data-set="${state}"]`);
const sees = (page: Page, component: string, state: string) =>
  eventually(`${component} is ${state}`, async () => (await is(page, component)) === state);

/** As the browser does when the tab goes to the background and comes back. */
async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}

describe("the status page", () => {
  const server = useServer();

  test("sets a component, and a second page sees it at its next poll", async () => {
    const url = `${server.url}/status/?channel=${freshName()}`;
    const [first, second] = [await pages.open(url), await pages.open(url)];
    await eventually("both have asked", async () => (await statusOf(first.page)).polls > 0 && (await statusOf(second.page)).polls > 0);
    await expect.poll(() => text(first.page, "summary")).toMatch(/nothing is set/i);
    for (const component of ["Website", "API", "Payments", "E-mail"]) await set(first.page, component, "operational");
    await sees(first.page, "E-mail", "operational");
    await expect.poll(() => text(first.page, "summary")).toBe("All operational");

    await set(first.page, "API", "down");
    await first.page.fill('[data-component="API"] textarea', "The disk is full <b>");
    await first.page.press('[data-component="API"] textarea', "Enter");
    await set(first.page, "Payments", "degraded");
    await sees(first.page, "Payments", "degraded");
    await sees(second.page, "Payments", "degraded");
    await expect.poll(() => is(second.page, "API")).toBe("down");
    await expect.poll(() => second.page.inputValue('[data-component="API"] textarea')).toBe("The disk is full <b>");
    await expect.poll(() => text(second.page, "summary")).toBe("1 down, 1 degraded");
    await expect.poll(() => second.page.innerText('[data-component="API"] time')).toMatch(/^since \w+ \d+/);

    // An earlier poll may have found nothing new, when the board was empty.
    await eventually("a poll found nothing new of the board", async () => (await statusOf(second.page)).savedBytes > 100);
    const { notModified, intervalS } = await statusOf(second.page);
    expect(notModified).toBeGreaterThan(0);
    expect(intervalS).toBe(5);
    await eventually("the countdown is shown", async () => /^[1-6] s$/.test(await text(second.page, "next")));
    expect([...first.errors, ...second.errors]).toEqual([]);
  });

  test("keeps what two set in the same moment", async () => {
    const name = freshName();
    const url = `${server.url}/status/?channel=${name}`;
    const open = await Promise.all([pages.open(url), pages.open(url)]);
    const [first, second] = open.map(({ page }) => page) as [Page, Page];
    await eventually("both have asked", async () => (await statusOf(first)).polls > 0 && (await statusOf(second)).polls > 0);
    await Promise.all([set(first, "API", "down"), set(second, "Website", "degraded")]);
    for (const page of [first, second]) {
      await sees(page, "API", "down");
      await sees(page, "Website", "degraded");
    }
  });

  test("a note that is changed back while the change is on its way is changed back", async () => {
    const name = freshName();
    const { page, errors } = await pages.open(`${server.url}/status/?channel=${name}`);
    await eventually("it has asked", async () => (await statusOf(page)).polls > 0);
    let send: (() => void) | undefined;
    await page.route(/demo-test-/, async (route) => {
      if (!send && route.request().method() === "POST") await new Promise<void>((done) => (send = done));
      await route.fallback();
    });
    const field = '[data-component="API"] textarea';
    const write = async (words: string) => {
      await page.fill(field, words);
      await page.press(field, "Enter");
    };
    await write("The disk is full");
    await eventually("it is on its way", () => send !== undefined);
    await write("");
    // Nor does a poll bring the old note back.
    await page.focus('[data-role="poll"]');
    send!();
    await eventually("the board has no note", async () => {
      const [board] = (await (await fetch(`${server.url}/status/${name}`)).json()) as [{ API?: { note: string } }?];
      return board?.API?.note === "";
    });
    await expect.poll(() => page.inputValue(field)).toBe("");
    expect(errors).toEqual([]);
  });

  test("sends no request while it is hidden, and polls at once when it is visible again", async () => {
    const name = freshName();
    const { page, errors } = await pages.open(`${server.url}/status/?channel=${name}`);
    await eventually("it has asked", async () => (await statusOf(page)).polls > 0);
    await hide(page, true);
    const { polls } = await statusOf(page);
    await expect.poll(() => text(page, "state")).toBe("paused");
    await publish(`${server.url}/status/${name}`, { API: { state: "down" } });
    // As long as it takes another page to poll twice.
    const other = await pages.open(`${server.url}/status/?channel=${name}`);
    await eventually("the other page has polled twice", async () => (await statusOf(other.page)).polls >= 2);
    expect((await statusOf(page)).polls).toBe(polls);
    await hide(page, false);
    await sees(page, "API", "down");
    expect([...errors, ...other.errors]).toEqual([]);
  });

  test("is worked by keyboard alone", async () => {
    const { page, errors } = await pages.open(`${server.url}/status/?channel=${freshName()}`);
    await eventually("it has asked", async () => (await statusOf(page)).polls > 0);
    await page.focus('[data-role="poll"]');
    for (const key of ["Tab", "Tab", "Enter"]) await page.keyboard.press(key);
    await sees(page, "Website", "degraded");
    expect(errors).toEqual([]);
  });

  test("draws what anybody publishes, whatever it is", async () => {
    const name = freshName();
    const { page, errors } = await pages.open(`${server.url}/status/?channel=${name}`);
    for (const value of [null, 7, "x", [1], { API: 1 }, { API: { state: "toString", note: 1, since: 1e300 } }, { "<i>": { state: "down", note: "<b>", since: 1 } }]) {
      await publish(`${server.url}/status/${name}`, value);
      const { polls } = await statusOf(page);
      await page.click('[data-role="poll"]');
      await eventually("it has asked again", async () => (await statusOf(page)).polls > polls);
    }
    await sees(page, "<i>", "down");
    expect(errors).toEqual([]);
  });

  test("the browser revalidates its own cache each time: never old, and no body when nothing is new", async () => {
    const target = new URL(server.url);
    const proxy = await Proxy.start(Number(target.port || 80));
    onTestFinished(() => proxy.stop());
    const name = freshName();
    const note = "x".repeat(20_000);
    await publish(`${server.url}/status/${name}`, { note, number: 1 });
    const { page } = await pages.open(`${proxy.url}/status/?channel=demo-other`);
    await hide(page, true);
    const get = () =>
      page.evaluate(async (name) => ((await (await fetch(name)).json()) as { number: number }[])[0]!.number, name);
    expect(await get()).toBe(1);
    const before = proxy.bytesDown;
    expect(await get()).toBe(1);
    expect(proxy.bytesDown - before).toBeLessThan(note.length / 4);
    await publish(`${server.url}/status/${name}`, { note, number: 2 });
    expect(await get()).toBe(2);
  });
});

describeOwnServer("the status page on a server of its own", () => {
  const server = useOwnServer("browser-status-own");

  test("rides out a cut connection and a killed server", async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const { page } = await pages.open(`${proxy.url}/status/?channel=${freshName()}`);
    await eventually("it has asked", async () => (await statusOf(page)).polls > 0);
    await set(page, "API", "down");
    await sees(page, "API", "down");
    proxy.cut();
    await set(page, "API", "degraded");
    await sees(page, "API", "degraded");
    await server.kill9();
    await set(page, "Website", "down");
    await eventually("it says so", async () => (await text(page, "state")) === "reconnecting");
    await server.restart();
    await sees(page, "Website", "down");
    await expect.poll(() => is(page, "API")).toBe("degraded");
    await eventually("it is live", async () => (await text(page, "state")) === "live");
    await expect.poll(() => text(page, "notice").catch(() => "")).toBe("");
  });
});
