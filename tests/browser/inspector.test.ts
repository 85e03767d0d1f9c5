// The inspector in a real browser: a channel's figures and events, for an operator with a ticket.

import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { beforeEach, expect, test } from "vitest";
import { takeScreenshots, useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { describeOwnServer, header, numbers, useOwnServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys } from "../harness/ticket.ts";

const KEY = freshKey();
const browser = useBrowser();

const text = (page: Page, role: string) => page.innerText(`[data-role="${role}"]`);
const events = (page: Page) => page.locator('[data-role="events"] pre').allInnerTexts();
const figure = (page: Page, name: string) => page.locator(`[data-figure="${name}"]`);
const shows = (page: Page, ...newest: string[]) =>
  eventually(`the events are ${newest.join()}`, async () => (await events(page)).join("\n") === newest.join("\n"));

describeOwnServer("the inspector", () => {
  const server = useOwnServer("inspector", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(KEY) });
  let name: string;
  let manager: string;

  beforeEach(() => {
    name = `team:room-${randomUUID()}`;
    manager = mint(KEY, { aud: "feed", ch: name, rights: ["read", "publish", "manage"] });
  });

  async function publish(...batch: unknown[]): Promise<string> {
    const headers = { "content-type": "application/json", authorization: `Bearer ${manager}` };
    const answer = await fetch(`${server.url}/feed/${name}`, { method: "POST", headers, body: JSON.stringify(batch) });
    expect(answer.status, await answer.text()).toBe(204);
    return header(answer, "stream-next-offset");
  }

  async function inspect(ticket: string) {
    const opened = await browser.open(`${server.url}/feed/-/inspector`);
    await opened.page.fill('[name="channel"]', name);
    await opened.page.fill('[name="ticket"]', ticket);
    await opened.page.press('[name="ticket"]', "Enter");
    return opened;
  }

  test("shows figures and events as they come, all of it as text", async () => {
    const hostile = "</pre><img src=x onerror=alert(1)>";
    await publish(1, hostile);
    const { page, errors } = await inspect(manager);
    await shows(page, JSON.stringify(hostile), "1");
    const offset = await publish({ a: 1 });
    await shows(page, '{"a":1}', JSON.stringify(hostile), "1");
    await expect.poll(() => page.locator("img").count()).toBe(0);
    await eventually("the figures follow", async () => (await figure(page, "events").innerText()) === "3");
    await expect.poll(() => figure(page, "offset").innerText()).toBe(offset);
    await expect.poll(() => figure(page, "refusals").innerText()).toBe("0");
    expect(errors).toEqual([]);
    await takeScreenshots(page, "inspector");
  });

  test("pauses and resumes at its position, and replays the events after an event, by keyboard", async () => {
    await publish(1, 2);
    const { page, errors } = await inspect(manager);
    await shows(page, "2", "1");
    await page.focus('[data-role="pause"]');
    await page.keyboard.press("Enter");
    await expect.poll(() => text(page, "state")).toBe("paused");
    await publish(3);
    await eventually("the figures continue", async () => (await figure(page, "events").innerText()) === "3");
    await expect.poll(() => events(page)).toEqual(["2", "1"]);
    await page.keyboard.press("Enter");
    await shows(page, "3", "2", "1");
    await page.locator('[data-role="events"] button').last().focus();
    await page.keyboard.press("Enter");
    await shows(page, "3", "2");
    expect(errors).toEqual([]);
  });

  test("begins at the tail on request, and keeps at most the length of its list", async () => {
    await publish(...numbers(1, 300));
    const { page } = await inspect(manager);
    await eventually("the newest are shown", async () => (await events(page))[0] === "300");
    await expect.poll(() => events(page)).toHaveLength(200);
    await page.fill('[name="offset"]', "now");
    await page.press('[name="offset"]', "Enter");
    await eventually("it is live", async () => (await text(page, "state")) === "live");
    await publish(301);
    await shows(page, "301");
  });

  test("keeps the ticket for the tab alone, and out of the address", async () => {
    await publish(1);
    const { page } = await inspect(manager);
    await shows(page, "1");
    expect(page.url()).not.toContain(manager);
    await page.reload();
    await shows(page, "1");
    const other = await browser.open(page.url());
    await eventually("the other tab is refused", async () => (await text(other.page, "state")) === "refused");
    await expect.poll(() => text(other.page, "notice")).toMatch(/^401 /);
  });

  test("shows the events to a ticket that may read, and says which right the figures need", async () => {
    await publish(1);
    const { page } = await inspect(mint(KEY, { aud: "feed", ch: name, rights: ["read"] }));
    await shows(page, "1");
    await eventually("it says so", async () => /^403 /.test(await text(page, "stats-notice")));
  });

  test("sends the ticket nowhere but to channels", async () => {
    const { page } = await inspect(manager);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    for (const elsewhere of ["../chat/room", "-/revoke/room", "https://example.com/", "a?b", "//example.com/"]) {
      await page.fill('[name="channel"]', elsewhere);
      await page.press('[name="channel"]', "Enter");
      await expect.poll(() => text(page, "notice"), { message: elsewhere }).toBe("This is no name of a channel.");
    }
    expect(asked.filter((url) => !url.includes(name))).toEqual([]);
  });
});
