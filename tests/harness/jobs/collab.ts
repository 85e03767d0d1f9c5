import type { Page } from "playwright-core";
import { expect } from "vitest";
import { eventually } from "../eventually.ts";
import type { Job } from "../job.ts";

const field = (page: Page) => page.locator('[data-role="text"]:not([readonly])');
const text = (page: Page) => page.inputValue('[data-role="text"]');

async function type(page: Page, words: string): Promise<void> {
  await field(page).press("Control+End");
  await page.keyboard.insertText(words);
}

async function rename(page: Page, name: string): Promise<void> {
  await page.fill('[data-role="name"]', name);
  await page.press('[data-role="name"]', "Enter");
}

export const job: Job = {
  path: (channel) => `collab/?channel=${channel}`,

  async act({ first }, round) {
    await type(first, `line ${round}\n`);
    const lines = Array.from({ length: round }, (_, index) => `line ${index + 1}\n`).join("");
    return (tab) => expect.poll(() => text(tab), { timeout: 60_000 }).toMatch(new RegExp(`text\\.\n${lines}$`));
  },

  settles: (tab) => tab.locator('[data-state="live"]').waitFor(),

  async pictures({ first: ann, second: bo }) {
    await rename(ann, "Ann Lee");
    await rename(bo, "Cleo Papadimitriou");
    await type(ann, "\nShift report, hall 3\n\n07:40  The line stands still.\n07:55  It is the sensor again: E-4711, light barrier 2 dirty. There was a note about it in the log of last week, and another one of the week before.\n08:10  Cleaned. It runs.\n");
    await eventually("Cleo has it", async () => (await text(bo)).endsWith("It runs.\n"));
    await type(bo, "🏃 تم شحن طلبك\n");
    for (let step = 0; step < 3; step++) await bo.keyboard.press("ArrowUp");
    await bo.keyboard.down("Shift");
    await bo.keyboard.press("End");
    await bo.keyboard.up("Shift");
    await eventually("Ann sees what Cleo marks", async () => (await ann.locator("mark").count()) > 0);
    await eventually("Cleo sees where Ann is", async () => (await bo.locator(".caret").count()) > 0);
    await bo.click('[data-role="history-button"]');
    await bo.locator('[data-role="slider"]').fill("1");
    await eventually("a version is shown", async () => (await bo.isEnabled('[data-role="restore"]')) && (await bo.inputValue('[data-role="slider"]')) === "1");
    return { "": ann, history: bo };
  },
};
