import type { Page } from "playwright-core";
import { eventually } from "../eventually.ts";
import type { Job } from "../job.ts";

async function send(page: Page, command: string): Promise<void> {
  await page.fill('[data-role="command"]', command);
  await page.press('[data-role="command"]', "Enter");
}

const becomes = (page: Page, command: string, state: string) =>
  eventually(`${command} is ${state}`, async () => (await page.locator("ol li", { hasText: command }).first().locator("output").innerText()) === state, 60_000);

/** The second tab is the device. */
async function turnOn(page: Page): Promise<void> {
  await page.click('[data-role="device"]');
  await eventually("the device asks", async () => (await page.innerText('[data-role="state"]')) === "asking");
}

export const job: Job = {
  path: (channel) => `devices/?channel=${channel}`,

  async act({ first, second }, round) {
    if (round === 1) await turnOn(second);
    // A command whose sending breaks off is not sent again, so it is on its way before anything breaks.
    const taken = first.waitForResponse((answer) => answer.request().method() === "POST" && answer.ok());
    await send(first, `blink 1 for round ${round}`);
    await taken;
    return async (tab) => {
      if (tab === first) await becomes(first, `for round ${round}`, "done");
    };
  },

  settles: (tab) => tab.locator('[data-role="none"]').waitFor(),

  async pictures({ first, second }) {
    await turnOn(second);
    await send(first, "blink 2");
    await becomes(first, "blink 2", "done");
    await send(first, "open the pod bay doors");
    await becomes(first, "pod bay", "failed");
    await send(first, "on at once");
    await becomes(first, "on at", "done");
    await eventually("the lamp is lit", async () => (await second.locator("[data-lit]").count()) === 1);
    await second.click('[data-role="device"]');
    await send(first, "off");
    await becomes(first, "off", "pending");
    return { "": first, device: second };
  },
};
