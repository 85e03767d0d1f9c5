// A headless Chromium, and pages whose errors are collected.

import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, JSHandle, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { OUTPUT } from "./server.ts";

// As in serve.mjs: `import` would read all of it for names first.
const { chromium } = createRequire(import.meta.url)("playwright-core") as typeof import("playwright-core");

/** The browser of a test file. */
export interface Pages {
  /** A tab in a profile of its own, closed with the test, and the errors of its scripts and its console. `prepare` runs before it loads. */
  open(url: string, prepare?: (page: Page) => Promise<void>): Promise<{ page: Page; errors: string[] }>;
}

/** The browser with a screen and notifications, which it draws nowhere here. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** The same engine without both: it takes half of the processor. */
const SHELL = process.env.CHROMIUM_HEADLESS_SHELL ?? CHROMIUM;

/** Starts a browser before the tests of this file and ends it after them. `notifies` if the tests need notifications. */
export function useBrowser({ notifies = false } = {}): Pages {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: notifies ? CHROMIUM : SHELL,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  afterAll(() => browser?.close());
  return {
    async open(url, prepare) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      onTestFinished(() => context.close());
      // As long as any other wait of a test.
      context.setDefaultTimeout(60_000);
      const page = await context.newPage();
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => message.type() === "error" && errors.push(`${message.text()} (${message.location().url})`));
      await prepare?.(page);
      await page.goto(url);
      return { page, errors };
    },
  };
}

/** A module of a page, as the page itself has it. By text: vitest would rewrite an `import` in a function. */
export function moduleOf(page: Page, url: string): Promise<JSHandle> {
  return page.evaluateHandle(`import(${JSON.stringify(url)})`);
}

/** Puts a tab into the background and freezes its scripts, as a browser does with a tab that was hidden for long. The returned function brings it back. */
export async function hide(page: Page): Promise<() => Promise<void>> {
  const devtools = await page.context().newCDPSession(page);
  const show = (isHidden: boolean) =>
    page.evaluate((isHidden) => {
      Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
      Object.defineProperty(document, "visibilityState", { value: isHidden ? "hidden" : "visible", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await show(true);
  // `Page.setWebLifecycleState` freezes no page of a headless browser: each counts as seen.
  await devtools.send("Debugger.enable");
  await devtools.send("Debugger.pause");
  return async () => {
    await devtools.detach();
    await show(false);
  };
}

/** Pictures of a page, wide and narrow, light and dark, in the folder `screenshots` of the output. Nothing is wider than the screen. */
export async function takeScreenshots(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [shape, width, height] of [["wide", 1280, 800], ["narrow", 390, 844]] as const) {
      await page.setViewportSize({ width, height });
      // A sticky header would hang in the middle of the picture.
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: join(OUTPUT, "screenshots", `${name}-${shape}-${colorScheme}.png`), fullPage: true, animations: "disabled" });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    }
  }
}
