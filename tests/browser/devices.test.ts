// A page that commands, and a page that is the device.

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { freshName, header, useServer } from "../harness/suite.ts";

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

  test("sends a command to a device in another page and sees it done, failed or timed out", async () => {
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

  test("a lamp that was busy for too long leaves out what waited", async () => {
    const name = freshName();
    const channel = `${server.url}/devices/${name}`;
    const { page, errors } = await pages.open(`${server.url}/devices/?channel=${name}`, async (page) => {
      // Time stands still, so that it blinks until the second command is there.
      await page.clock.install({ time: 0 });
      await page.clock.pauseAt(3_600_000);
    });
    await turnOn(page);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const post = async (body: string) => header(await fetch(channel, { method: "POST", headers: { "content-type": "text/plain" }, body }), "stream-next-offset");
    // It asks for what follows once it has taken a command.
    const hasTaken = (offset: string) => eventually("the lamp has taken it", () => asked.some((url) => url.includes(`offset=${offset}`)));
    await hasTaken(await post("first blink 5"));
    await hasTaken(await post("late on"));
    await page.clock.fastForward(31_000);
    await page.clock.resume();
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

  test("a lamp that is off and on again ends what it was at before it does the next", async () => {
    const name = freshName();
    const channel = `${server.url}/devices/${name}`;
    // Time stands still between two flashes, as it may for a page in the background.
    const { page } = await pages.open(`${server.url}/devices/?channel=${name}`, async (page) => {
      await page.addInitScript(() => {
        const flashes: (() => void)[] = [];
        const later = window.setTimeout;
        let isStill = true;
        window.setTimeout = ((then: () => void, ms: number, ...given: []) => (isStill && ms === 200 ? flashes.push(then) : later(then, ms, ...given))) as typeof setTimeout;
        Object.assign(window, {
          goOn: () => {
            isStill = false;
            for (const flash of flashes) flash();
          },
        });
      });
    });
    const post = (body: string) => fetch(channel, { method: "POST", headers: { "content-type": "text/plain" }, body });
    const isLit = async () => (await page.locator("[data-lit]").count()) === 1;
    await turnOn(page);
    await post("first blink 2");
    await eventually("it blinks", isLit);
    await page.click('[data-role="device"]');
    await turnOn(page);
    const heard = page.waitForResponse(async (answer) => answer.url().includes(name) && (await answer.text().catch(() => "")).includes("next on"));
    await Promise.all([heard, post("next on")]);
    await page.evaluate(() => (window as unknown as { goOn: () => void }).goOn());
    const answers = async () => {
      for (let [offset, lines]: [string | null, string] = ["-1", ""]; ; ) {
        const answer: Response = await fetch(`${channel}:done?offset=${offset}`);
        lines += await answer.text();
        offset = answer.headers.get("stream-next-offset");
        if (!offset || answer.headers.has("stream-up-to-date")) return lines.match(/(first|next) done/g)?.join();
      }
    };
    await eventually("both are done, in their order", async () => (await answers()) === "first done,next done");
    expect(await isLit()).toBe(true);
  });

  test("a command that the device has done stays done, whatever a proxy says of its sending", async () => {
    const name = freshName();
    const url = `${server.url}/devices/?channel=${name}`;
    const [sender, device] = [await pages.open(url), await pages.open(url)];
    await turnOn(device.page);
    let give: (() => void) | undefined;
    let isGiven = false;
    await sender.page.route(/demo-test-/, async (route) => {
      if (route.request().method() !== "POST") return route.fallback();
      await route.fetch();
      await new Promise<void>((done) => (give = done));
      // The page may have given up by then.
      await route.fulfill({ status: 504, body: "gateway timeout" }).catch(() => {});
      isGiven = true;
    });
    await send(sender.page, "on");
    await sees(sender.page, ["on: done"]);
    await eventually("it was sent", () => give !== undefined);
    give!();
    await eventually("it is answered", () => isGiven);
    await sender.page.evaluate(() => new Promise((done) => setTimeout(done, 500)));
    expect(await commands(sender.page)).toEqual(["on: done"]);
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
