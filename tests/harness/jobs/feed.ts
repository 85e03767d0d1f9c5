import type { Page } from "playwright-core";
import { eventually } from "../eventually.ts";
import type { Job } from "../job.ts";
import { numbers, publish, publishAll } from "../suite.ts";

/** What the page says about itself. */
interface Feed {
  events: number;
  gaps: number;
}

const feedOf = (page: Page) => page.evaluate(() => (window as unknown as { tidewireFeed: Feed }).tidewireFeed);

const SERIES = ["cpu_percent", "memory_percent", "load_1m", "net_received_kb_s", "net_sent_kb_s", "disk_read_kb_s", "disk_written_kb_s"];

export const job: Job = {
  path: (channel) => `feed/?channel=${channel}`,

  async act({ channel, ticket }, round) {
    await publish(channel, { at: Date.now(), values: { round } }, ticket?.());
    return (tab) =>
      eventually(`${round} samples`, async () => {
        const { events, gaps } = await feedOf(tab);
        return events === round && gaps === 0;
      });
  },

  settles: (tab) => tab.locator('[data-role="hint"]').waitFor(),

  async pictures({ first, second, channel }) {
    const value = (index: number, which: number) => (50 + 40 * Math.sin(index / 7 + which)) * (which > 2 ? 20 : 1);
    const sample = (index: number) => ({ at: Date.now(), values: Object.fromEntries(SERIES.map((name, which) => [name, value(index, which)])) });
    await publishAll(channel, numbers(1, 90).map(sample));
    const sensors = `${channel}-sensors`;
    const hours = (count: number) => Date.now() - count * 3_600_000;
    const readings = numbers(1, 30).map((number) => ({ at: hours(number % 9), values: { [`hall_${number % 4}_sensor_${number}_percent`]: (number * 37) % 100 } }));
    await publishAll(sensors, [...readings, sample(91)]);
    await second.goto(`${second.url()}-sensors&view=latest`);
    for (const tab of [first, second]) await eventually("all series", async () => (await tab.locator("[data-series]").count()) >= SERIES.length);
    return { "": first, latest: second };
  },
};
