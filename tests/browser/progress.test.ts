// Uploads and jobs in a real browser: the page that runs them, and one that has only the link.

import { createHash } from "node:crypto";
import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { takeScreenshots, useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { describeOwnServer, freshName, publish, useOwnServer, useServer } from "../harness/suite.ts";

const pages = useBrowser();

/** What the page says about itself. */
interface Progress {
  state: string;
  gaps: number;
  job?: { type: string; value: number; max?: number; reason?: string };
}

const progressOf = (page: Page) => page.evaluate(() => (window as unknown as { tidewireProgress: Progress }).tidewireProgress);
const text = (page: Page, role: string) => page.innerText(`[data-role="${role}"]`);
const is = (page: Page, state: string) => eventually(`the page says ${state}`, async () => (await text(page, "state")) === state, 60_000);
const hasCounted = (page: Page) => eventually("some of it is counted", async () => ((await progressOf(page)).job?.value ?? 0) > 0);

const FILE = { name: "Ferien am Meer & mehr.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(8_000_000, "wave") };

/** Chooses the file. It goes up slowly, for 40 s, so that there is something to see; the function that is returned lets the rest of it go as fast as it can. */
async function upload(page: Page): Promise<() => Promise<void>> {
  const session = await page.context().newCDPSession(page);
  const limit = async (bytesPerSecond: number) => {
    await session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond });
  };
  await limit(200_000);
  await page.setInputFiles('[data-role="file"]', FILE);
  return () => limit(-1);
}

/** Another page, which has only the link. */
async function watch(page: Page, base: string): Promise<{ page: Page; errors: string[] }> {
  await eventually("there is a link", async () => (await page.inputValue('[data-role="link"]')) !== "");
  return pages.open(`${base}/progress/${new URL(await page.inputValue('[data-role="link"]')).search}`);
}

/** As the browser does when the tab goes to the background and comes back. */
async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}

describe("the progress page", () => {
  const server = useServer();

  test("uploads a file, and a second page sees the same bar to the end", async () => {
    const first = await pages.open(`${server.url}/progress/`);
    await takeScreenshots(first.page, "progress-start");
    const hurry = await upload(first.page);
    const second = await watch(first.page, server.url);
    await hasCounted(second.page);
    await eventually("both show speed and time left", async () => {
      const shown = await Promise.all([first.page, second.page].map(async (page) => [await text(page, "speed"), await text(page, "left")].join()));
      return shown.every((figures) => /^[\d.]+ MB\/s,\d+ s left$/.test(figures));
    });
    await expect.poll(() => text(second.page, "label")).toBe(FILE.name);
    await expect.poll(() => text(second.page, "amount")).toMatch(/^[\d.]+ MB of 8 MB$/);
    expect(await second.page.isVisible('[data-role="cancel"]')).toBe(false);
    await takeScreenshots(first.page, "progress-live");
    await hurry();
    for (const { page } of [first, second]) {
      await is(page, "done");
      await expect.poll(() => text(page, "percent")).toBe("100 %");
      await expect.poll(() => text(page, "sha256")).toBe(createHash("sha256").update(FILE.buffer).digest("hex"));
      await expect.poll(() => page.isVisible('[data-role="cancel"]')).toBe(false);
    }
    await takeScreenshots(second.page, "progress-done");
    const late = await watch(first.page, server.url);
    await is(late.page, "done");
    expect([...first.errors, ...second.errors, ...late.errors]).toEqual([]);
  });

  test("a cancelled upload is cancelled for all", async () => {
    const first = await pages.open(`${server.url}/progress/`);
    await upload(first.page);
    const second = await watch(first.page, server.url);
    await hasCounted(second.page);
    await first.page.click('[data-role="cancel"]');
    for (const { page } of [first, second]) {
      await is(page, "failed");
      expect((await progressOf(page)).job?.reason).toBe("cancelled");
      await expect.poll(() => text(page, "outcome")).toBe("It was cancelled.");
    }
    await takeScreenshots(second.page, "progress-failed");
  });

  test("a job that is cancelled before the server has made its channel ends as cancelled, and nothing was refused", async () => {
    const { page, errors } = await pages.open(`${server.url}/progress/`);
    let make: (() => void) | undefined;
    await page.route(/demo-job-/, async (route) => {
      if (route.request().method() === "PUT") await new Promise<void>((done) => (make = done));
      await route.fallback();
    });
    await page.click('[data-role="simulate"]');
    await eventually("it is on its way", () => make !== undefined);
    await page.click('[data-role="cancel"]');
    make!();
    await is(page, "failed");
    expect((await progressOf(page)).job?.reason).toBe("cancelled");
    await expect.poll(() => page.isVisible('[data-role="notice"]')).toBe(false);
    expect(errors.filter((error) => !error.includes("404"))).toEqual([]);
  });

  test("a job is started by keyboard alone, and watched", async () => {
    const { page, errors } = await pages.open(`${server.url}/progress/`);
    for (const key of ["Tab", "Tab", "Enter"]) await page.keyboard.press(key);
    const second = await watch(page, server.url);
    await hasCounted(second.page);
    await hide(second.page, true);
    await is(page, "done");
    await hide(second.page, false);
    await is(second.page, "done");
    await expect.poll(() => text(second.page, "amount")).toBe("240 frames of 240 frames");
    await page.click('[data-role="another"]');
    await eventually("it can begin again", () => page.isVisible('[data-role="simulate"]'));
    expect([...errors, ...second.errors]).toEqual([]);
  });

  test("the link of a job has its whole name, and opening it adds nothing to the history", async () => {
    const name = "demo-a:b&c+d";
    const { page } = await pages.open(`${server.url}/progress/?channel=${name.replace(/[&+]/g, encodeURIComponent)}`);
    // The server refuses such a name, so it has read the whole body.
    await is(page, "refused");
    await expect.poll(() => text(page, "notice")).toContain("'&'");
    expect(new URL(await page.inputValue('[data-role="link"]')).searchParams.get("channel")).toBe(name);
    const length = await page.evaluate(() => history.length);
    await page.reload();
    await is(page, "refused");
    expect(await page.evaluate(() => history.length)).toBe(length);
  });

  test("says what a server says that is busy", async () => {
    const { page } = await pages.open(`${server.url}/progress/`);
    await page.route(/demo-job-/, async (route) => {
      if (route.request().method() !== "PUT") return route.fallback();
      const body = JSON.stringify({ type: "urn:tidewire:overloaded", title: "Busy", status: 503, detail: "all hands are full" });
      await route.fulfill({ status: 503, contentType: "application/problem+json", body });
    });
    await page.click('[data-role="simulate"]');
    await eventually("it is quoted", async () => (await text(page, "notice")) === "all hands are full");
  });

  test("shows what anybody publishes as text, and a channel that ends without a word", async () => {
    const name = freshName();
    const channel = `${server.url}/progress/${name}`;
    const { page, errors } = await pages.open(`${server.url}/progress/?channel=${name}`);
    await is(page, "waiting");
    const state = { type: "progress", label: "<b>bold</b>", value: 9e15, unit: "<i>", at: 0 };
    await publish(channel, state);
    await is(page, "live");
    await expect.poll(() => text(page, "label")).toBe("<b>bold</b>");
    await expect.poll(() => page.evaluate(() => document.querySelector("progress")!.position)).toBe(-1);
    await fetch(channel, { method: "POST", headers: { "stream-closed": "true" } });
    await is(page, "failed");
    await expect.poll(() => text(page, "outcome")).toMatch(/finished without/);
    expect(errors).toEqual([]);
  });
});

describeOwnServer("the progress page on a server of its own", () => {
  const server = useOwnServer("browser-progress-own");

  test("an upload that is cut off fails for all, and one whose server dies as soon as it is back", { timeout: 300_000 }, async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const cut = await pages.open(`${proxy.url}/progress/`);
    await upload(cut.page);
    const watcher = await watch(cut.page, server.url);
    await hasCounted(watcher.page);
    proxy.cut();
    for (const { page } of [cut, watcher]) {
      await is(page, "failed");
      expect((await progressOf(page)).job?.reason).toBe("body-incomplete");
    }

    const orphan = await pages.open(`${server.url}/progress/`);
    await upload(orphan.page);
    const second = await watch(orphan.page, server.url);
    await hasCounted(second.page);
    await server.kill9();
    await is(second.page, "reconnecting");
    await server.restart();
    for (const { page } of [orphan, second]) {
      await is(page, "failed");
      expect((await progressOf(page)).job?.reason).toBe("body-incomplete");
    }
  });

  test("a job rides out a cut connection and a killed server", { timeout: 300_000 }, async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const { page } = await pages.open(`${proxy.url}/progress/`);
    await page.click('[data-role="simulate"]');
    const second = await watch(page, server.url);
    await hasCounted(second.page);
    proxy.cut();
    await server.kill9();
    await server.restart();
    for (const each of [page, second.page]) {
      await is(each, "done");
      expect((await progressOf(each)).job?.value).toBe(240);
    }
  });
});
