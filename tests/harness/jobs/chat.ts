import { expect } from "vitest";
import type { Page } from "playwright-core";
import { eventually } from "../eventually.ts";
import type { Job } from "../job.ts";

/** Writes a message, in a tab that is in the room. */
async function say(page: Page, text: string): Promise<void> {
  await page.fill('[data-role="text"]', text);
  await page.press('[data-role="text"]', "Enter");
}

async function rename(page: Page, name: string): Promise<void> {
  await page.fill('[data-role="name"]', name);
  await page.press('[data-role="name"]', "Enter");
}

const texts = (page: Page) => page.locator('[data-role="messages"] .text').allTextContents();
const sees = (page: Page, expected: string[]) => expect.poll(() => texts(page), { timeout: 60_000 }).toEqual(expected);

export const job: Job = {
  path: (channel) => `chat/#${channel}`,

  async act({ first }, round) {
    await say(first, `message ${round}`);
    return (tab) => sees(tab, Array.from({ length: round }, (_, index) => `message ${index + 1}`));
  },

  settles: (tab) => tab.locator('[data-state="live"]').waitFor(),

  async pictures({ first: ann, second: bo }) {
    await rename(ann, "Ann Lee");
    await rename(bo, "Cleo Papadimitriou");
    const said = [
      "Morning! The line on hall 3 stands still since 7:40.",
      "Can somebody have a look?",
      "On my way 🏃",
      "It is the sensor again, I think. There was a note about it in the log of last week:\n\n  E-4711 light barrier 2 dirty\n\nhttps://example.com/a/very/long/address/that/does/not/break/anywhere/because/it/has/no/spaces/at/all/and/goes/on",
      "oops, wrong window",
    ];
    for (const [index, text] of said.entries()) {
      await say(index === 2 || index === 3 ? bo : ann, text);
      await sees(ann, said.slice(0, index + 1));
    }
    await ann.locator(".log li", { hasText: "oops" }).hover();
    await ann.locator(".log li", { hasText: "oops" }).locator('[data-action="delete"]').click();
    await eventually("it is deleted", async () => (await texts(bo)).includes("Message deleted"));
    await say(bo, "Cleaned. It runs.");
    await eventually("six messages", async () => (await texts(ann)).length === 6);
    await say(ann, "y".repeat(2_001));
    await eventually("it is refused", async () => (await ann.locator('li[data-state="failed"]').count()) === 1);
    await ann.fill('[data-role="text"]', "Tha");
    // It is seen for three seconds after a key.
    await eventually("Ann types", async () => {
      await ann.dispatchEvent('[data-role="text"]', "input");
      return (await bo.innerText('[data-role="typing"]')) !== "";
    });
    return { "": bo, own: ann };
  },
};
