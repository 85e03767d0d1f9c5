// The purpose of the page of each template, as two people would see it. `jobs/NAME.ts` says it for the template NAME; the suites
// browser/pages and browser/screenshots do it for every template that has a page.

import { existsSync, readdirSync } from "node:fs";
import type { Page } from "playwright-core";

const FUNCTIONS = new URL("../../functions/", import.meta.url);

/** Two tabs on one channel. */
export interface Tabs {
  first: Page;
  second: Page;
  /** Address of the channel, which no proxy cuts. */
  channel: string;
  /** The address where a publisher beside the tabs closes the channel. */
  ticket?: () => string;
}

export interface Job {
  /** Path and query of the page of a channel, below the server. */
  path(channel: string): string;
  /** Does the job for the `round`th time, from 1 on, without waiting for the second tab. Returns how to wait until a tab shows all that was done so far, once. */
  act(tabs: Tabs, round: number): Promise<(tab: Page) => Promise<void>>;
  /** Waits until the page of an empty channel looks as it stays. */
  settles(tab: Page): Promise<void>;
  /** Tabs worth a picture, by what is added to the name of the template. */
  pictures(tabs: Tabs): Promise<Record<string, Page>>;
}

/** The templates that have a page. */
export const TEMPLATES = readdirSync(FUNCTIONS).filter((name) => ["public/index.html", "wrangler.toml"].every((file) => existsSync(new URL(`${name}/${file}`, FUNCTIONS))));

export async function jobOf(template: string): Promise<Job> {
  return ((await import(`./jobs/${template}.ts`)) as { job: Job }).job;
}
