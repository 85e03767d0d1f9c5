// Pictures of every page, empty and at work, wide and narrow, light and dark: `screenshots` in the output folder. Look at them.

import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { takeScreenshots, useBrowser } from "../harness/browser.ts";
import { jobOf, TEMPLATES } from "../harness/job.ts";
import { useServer } from "../harness/suite.ts";

const browser = useBrowser();
const server = useServer();

test.each(TEMPLATES)("%s looks as its pictures show", async (template) => {
  const job = await jobOf(template);
  const name = `demo-${template}-${randomUUID().slice(0, 4)}`;
  const opened = [await browser.open(`${server.url}/${job.path(name)}`), await browser.open(`${server.url}/${job.path(name)}`)];
  const [first, second] = opened.map(({ page }) => page) as [Page, Page];
  await job.settles(first);
  await takeScreenshots(first, `${template}-empty`);
  const pictures = await job.pictures({ first, second, channel: `${server.url}/${template}/${name}` });
  for (const [what, tab] of Object.entries(pictures)) {
    await tab.bringToFront();
    await takeScreenshots(tab, [template, what].filter(Boolean).join("-"));
  }
  expect(Object.keys(pictures).length).toBeGreaterThan(0);
});
