// Every page does its job, and goes on doing it after what happens to pages: lost connections, a killed server, hours in the background.

import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { hide, useBrowser } from "../harness/browser.ts";
import { jobOf, TEMPLATES, type Tabs } from "../harness/job.ts";
import { Proxy } from "../harness/proxy.ts";
import { describeOwnServer, freshName, useOwnServer } from "../harness/suite.ts";

const browser = useBrowser();

describeOwnServer("the page of", () => {
  const server = useOwnServer("pages", { RETRY_MS: "200" });

  describe.each(TEMPLATES)("%s", (template) => {
    test("does its job in two tabs, and nothing is wrong in the console", { timeout: 90_000 }, async () => {
      const job = await jobOf(template);
      const name = freshName();
      const opened = [await browser.open(`${server.url}/${job.path(name)}`), await browser.open(`${server.url}/${job.path(name)}`)];
      const [first, second] = opened.map(({ page }) => page) as [Page, Page];
      const shows = await job.act({ first, second, channel: `${server.url}/${template}/${name}` }, 1);
      for (const tab of [second, first]) await shows(tab);
      expect(opened.flatMap(({ errors }) => errors)).toEqual([]);
    });

    test("outlasts a cut network, a killed server, and a tab that is hidden and held meanwhile", { timeout: 180_000 }, async () => {
      const job = await jobOf(template);
      const proxy = await Proxy.start(server.port);
      onTestFinished(() => proxy.stop());
      const name = freshName();
      const open = async () => (await browser.open(`${proxy.url}/${job.path(name)}`)).page;
      const tabs: Tabs = { first: await open(), second: await open(), channel: `${server.url}/${template}/${name}` };
      let round = 0;
      const act = async () => job.act(tabs, ++round);
      const worksIn = async (...pages: Page[]) => {
        const shows = await act();
        for (const page of pages) await shows(page);
      };
      await worksIn(tabs.first, tabs.second);
      proxy.cut();
      await worksIn(tabs.first, tabs.second);
      await server.kill9();
      await server.restart();
      await worksIn(tabs.first, tabs.second);

      const show = await hide(tabs.second);
      await act();
      proxy.cut();
      const shows = await act();
      await server.kill9();
      await server.restart();
      await show();
      for (const tab of [tabs.second, tabs.first]) await shows(tab);
      await worksIn(tabs.first, tabs.second);
    });
  });
});
