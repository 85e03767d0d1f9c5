import type { Page } from "playwright-core";
import { expect } from "vitest";
import { eventually } from "../eventually.ts";
import type { Job } from "../job.ts";
import { publish } from "../suite.ts";

const titles = (page: Page) => page.locator("[data-role='list'] li a").allTextContents();
const notification = (id: string, title: string, body = "", minutes = 0) => ({ type: "notification", id, title, body, at: Date.now() - minutes * 60_000 });

export const job: Job = {
  path: (channel) => `notifications/?channel=${channel}`,

  async act({ channel, ticket }, round) {
    await publish(channel, notification(`n${round}`, `number ${round}`), ticket?.());
    const expected = Array.from({ length: round }, (_, index) => `number ${round - index}`);
    return (tab) => expect.poll(() => titles(tab), { timeout: 60_000 }).toEqual(expected);
  },

  settles: (tab) => tab.locator('[data-state="live"]').waitFor(),

  async pictures({ first, second, channel }) {
    await publish(channel, notification("a", "Backup done", "14 GB in 3 minutes.", 1_500));
    await publish(channel, notification("b", "Bo mentioned you", "“Can you look at the light barrier of hall 3? It is the sensor again, I think.”", 42));
    await publish(channel, notification("c", "Your invoice for November", "", 3));
    await first.locator("li", { hasText: "Backup" }).locator("button").click();
    await eventually("two are unread", async () => (await second.locator("li[data-unread]").count()) === 2);
    return { "": second };
  },
};
