import type { Page } from "playwright-core";
import { eventually } from "../eventually.ts";
import type { Job } from "../job.ts";

const STATES = ["operational", "degraded", "down"];

const set = (page: Page, component: string, state: string) => page.click(`[data-component="${component}"] [data-set="${state}"]`);
const is = (page: Page, component: string) => page.getAttribute(`[data-component="${component}"]`, "data-is");
const sees = (page: Page, component: string, state: string) => eventually(`${component} is ${state}`, async () => (await is(page, component)) === state, 60_000);

export const job: Job = {
  path: (channel) => `status/?channel=${channel}`,

  async act({ first }, round) {
    const state = STATES[round % STATES.length]!;
    await set(first, "API", state);
    return (tab) => sees(tab, "API", state);
  },

  settles: (tab) => tab.locator('[data-state="live"]').waitFor(),

  async pictures({ first, second }) {
    for (const component of ["Website", "E-mail"]) await set(first, component, "operational");
    await set(first, "API", "down");
    await first.fill('[data-component="API"] textarea', "The disk is full; we are on it, more at 14:00");
    await first.press('[data-component="API"] textarea', "Enter");
    await set(first, "Payments", "degraded");
    for (const tab of [first, second]) await sees(tab, "Payments", "degraded");
    return { "": second };
  },
};
