import type { Page } from "playwright-core";
import type { JobState } from "../../../functions/progress/public/progress.d.ts";
import { eventually } from "../eventually.ts";
import type { Job } from "../job.ts";
import { publish } from "../suite.ts";

const MAX = 4_000;

const valueOf = (page: Page) => page.evaluate(() => (window as unknown as { tidewireProgress: { job?: JobState } }).tidewireProgress.job?.value);
const shows = (page: Page, value: number) => eventually(`${value} of ${MAX}`, async () => (await valueOf(page)) === value, 60_000);

/** The first of it makes the channel. */
async function report(channel: string, value: number, ticket?: string): Promise<void> {
  const state: JobState = { type: "progress", label: "Render hall 3, take 2", value, max: MAX, unit: "frames", at: Date.now() };
  await publish(channel, state, ticket);
}

export const job: Job = {
  path: (channel) => `progress/?channel=${channel}`,

  async act({ channel, ticket }, round) {
    await report(channel, round * 100, ticket?.());
    return (tab) => shows(tab, round * 100);
  },

  settles: (tab) => tab.locator('[data-role="state"]', { hasText: "waiting" }).waitFor(),

  async pictures({ first, second, channel }) {
    await report(channel, 1_200);
    await report(channel, 2_600);
    await shows(first, 2_600);
    await second.goto(new URL(".", second.url()).href);
    return { "": first, start: second };
  },
};
