// A page that commands, and a page that is the device.

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { freshName, useServer } from "../harness/suite.ts";

const pages = useBrowser();

async function send(page: Page, command: string): Promise<void> {
  await page.fill('[data-role="command"]', command);
  await page.press('[data-role="command"]', "Enter");
}

/** The commands and what became of them, the newest first. */
const commands = (page: Page) =>
  page.locator("ol li").evaluateAll((rows) => rows.map((row) => `${row.querySelector("code")!.textContent}: ${row.querySelector("output")!.textContent}`));

async function turnOn(page: Page): Promise<void> {
  await page.click('[data-role="device"]');
  await eventually("the device asks", async () => (await page.innerText('[data-role="state"]')) === "asking");
}

async function sees(page: Page, expected: string[]): Promise<void> {
  await eventually(`${expected}`, async () => (await commands(page)).join() === expected.join(), 60_000);
}

describe("the devices page", () => {
  const server = useServer();

  test("sends a command to a device in another page and sees it done, failed or timed out", { timeout: 120_000 }, async () => {
    const url = `${server.url}/devices/?channel=${freshName()}`;
    const [sender, device] = [await pages.open(url), await pages.open(url)];
    await send(sender.page, "on");
    await sees(sender.page, ["on: pending"]);
    await turnOn(device.page);
    await send(sender.page, "blink 2");
    await send(sender.page, "explode");
    await eventually("both are answered", async () => (await commands(sender.page)).slice(0, 2).join() === "explode: failed,blink 2: done");
    await send(sender.page, "on");
    await eventually("the lamp is lit", async () => (await device.page.locator("[data-lit]").count()) === 1);
    await sees(sender.page, ["on: done", "explode: failed", "blink 2: done", "on: timed out"]);
    await device.page.click('[data-role="device"]');
    await expect.poll(() => device.page.innerText('[data-role="state"]')).toBe("off");
    expect([...sender.errors, ...device.errors]).toEqual([]);
  });

  test("shows what anybody sends as text, and says what the server refuses", async () => {
    const { page } = await pages.open(`${server.url}/devices/?channel=${freshName()}`);
    await page.evaluate(() => document.querySelector('[data-role="command"]')!.removeAttribute("maxlength"));
    await send(page, `<b>${"x".repeat(4096)}`);
    await eventually("it is refused", async () => (await commands(page)).some((row) => row.endsWith("not sent")));
    await expect.poll(() => page.innerText('[data-role="notice"]')).toMatch(/at most 4096/);
    await expect.poll(() => page.locator("ol b").count()).toBe(0);
  });

  test("a lamp that was busy for too long leaves out what waited", { timeout: 60_000 }, async () => {
    const name = freshName();
    const channel = `${server.url}/devices/${name}`;
    const { page, errors } = await pages.open(`${server.url}/devices/?channel=${name}`, (page) => page.clock.install());
    await turnOn(page);
    const post = (body: string) => fetch(channel, { method: "POST", headers: { "content-type": "text/plain" }, body });
    const heard = (line: string) => page.waitForResponse(async (answer) => answer.url().includes(name) && (await answer.text().catch(() => "")).includes(line));
    await Promise.all([heard("first blink 5"), post("first blink 5")]);
    await Promise.all([heard("late on"), post("late on")]);
    await page.clock.fastForward(31_000);
    // A read gives one line.
    const answers = async () => {
      for (let [offset, lines]: [string | null, string] = ["-1", ""]; ; ) {
        const answer: Response = await fetch(`${channel}:done?offset=${offset}`);
        lines += await answer.text();
        offset = answer.headers.get("stream-next-offset");
        if (!offset || answer.headers.has("stream-up-to-date")) return lines.match(/(first|late|next) done/g);
      }
    };
    await eventually("the first is done", async () => (await answers())?.join() === "first done");
    await post("next on");
    await eventually("the next is done, and the late one is not", async () => (await answers())?.join() === "first done,next done");
    expect(errors.filter((error) => !error.includes("404"))).toEqual([]);
  });

  test("a server that is busy is quoted, and what it did not take was not sent", async () => {
    const { page } = await pages.open(`${server.url}/devices/?channel=${freshName()}`);
    await page.route(/demo-test-/, async (route) => {
      if (route.request().method() !== "POST") return route.fallback();
      const body = JSON.stringify({ type: "urn:tidewire:rate-limited", title: "Too many", status: 429, detail: "at most 3 a second" });
      await route.fulfill({ status: 429, contentType: "application/problem+json", body });
    });
    await send(page, "on");
    await sees(page, ["on: not sent"]);
    await expect.poll(() => page.innerText('[data-role="notice"]')).toBe("at most 3 a second");
  });
});
