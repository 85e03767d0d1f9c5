// Every page does its job, also after lost connections, a killed server and hours in the background.

import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { hide, useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { jobOf, TEMPLATES, type Tabs } from "../harness/job.ts";
import { Proxy } from "../harness/proxy.ts";
import { describeOwnServer, freshName, useOwnServer } from "../harness/suite.ts";

const browser = useBrowser();

/** As in Safari before 17.4. */
async function olderBrowser(page: Page): Promise<void> {
  await page.addInitScript(() => {
    Reflect.deleteProperty(AbortSignal, "any");
    Reflect.deleteProperty(Promise, "withResolvers");
  });
}

/** Pages that read by `fetch`: how each begins, a body in three pieces, and what shows that it came. */
const SLOW: { template: string; press: string; type: string; body: [string, string, string]; shows: (page: Page) => Promise<boolean> }[] = [
  {
    template: "feed",
    press: '[data-transport="poll"]',
    type: "application/json",
    body: ['[{"values":{"a":1}}', ',{"values":', '{"a":2}}]'],
    shows: async (page) => (await page.innerText('[data-role="events"]')) === "2",
  },
  {
    template: "devices",
    press: '[data-role="device"]',
    type: "text/plain",
    body: ["id", " o", "n"],
    shows: async (page) => (await page.locator("[data-lit]").count()) === 1,
  },
  {
    template: "status",
    press: '[data-role="poll"]',
    type: "application/json",
    body: ['[{"API":', '{"state":', '"down"}}]'],
    shows: async (page) => /1 down/i.test(await page.innerText('[data-role="summary"]')),
  },
];

/** The channel answers each GET at once, with a body that the test writes: `say` to the newest. */
async function answerByHand(page: Page, name: string, type: string): Promise<void> {
  await page.addInitScript(([name, type]) => {
    const hand = { requests: 0, say: (_: string, __: boolean) => {} };
    Object.assign(window, { hand });
    const fetchAnyway = fetch;
    window.fetch = (input, init) => {
      if (!String(input).includes(name) || init?.method === "POST") return fetchAnyway(input, init);
      hand.requests += 1;
      const body = new ReadableStream({
        start(stream) {
          init!.signal!.addEventListener("abort", () => stream.error(init!.signal!.reason));
          hand.say = (text, isEnd) => {
            stream.enqueue(new TextEncoder().encode(text));
            if (isEnd) stream.close();
          };
        },
      });
      return Promise.resolve(new Response(body, { headers: { "Content-Type": type, "Stream-Next-Offset": "000000000001_00000000000002", "Stream-Up-To-Date": "true" } }));
    };
  }, [name, type] as const);
}

type Hand = { hand: { requests: number; say: (text: string, isEnd: boolean) => void } };

describeOwnServer("the page of", () => {
  const server = useOwnServer("pages", { RETRY_MS: "200" });

  test.each(SLOW)("$template reads a slow body, and gives up a stalled body", async ({ template, press, type, body, shows }) => {
    const name = freshName();
    const { page } = await browser.open(`${server.url}/${template}/?channel=${name}`, async (page) => {
      // Time stands still: what passes is what the test says, however slow the machine is.
      await page.clock.install({ time: 0 });
      await page.clock.pauseAt(3_600_000);
      await olderBrowser(page);
      await answerByHand(page, name, type);
    });
    const requests = () => page.evaluate(() => (window as unknown as Hand).hand.requests);
    const say = (text: string, isEnd: boolean) => page.evaluate(([text, isEnd]) => (window as unknown as Hand).hand.say(text, isEnd), [text, isEnd] as const);
    await page.click(press);
    await eventually("it has asked", async () => (await requests()) > 0);
    for (const [index, piece] of body.entries()) {
      await page.clock.fastForward(8_000);
      await say(piece, index === body.length - 1);
    }
    await eventually("all of it is shown", async () => {
      await page.clock.runFor(20);
      return shows(page);
    });
    const before = await requests();
    await page.clock.fastForward(6_000);
    await eventually("it has asked again", async () => {
      await page.clock.runFor(20);
      return (await requests()) >= Math.max(2, before);
    });
    await page.clock.fastForward(11_000);
    await eventually("it has given up", async () => (await page.getAttribute('[data-role="state"]', "data-state")) === "reconnecting");
  });

  test("the transports that the server names are whole words", async () => {
    const open = async (path: string) => {
      const sockets: string[] = [];
      const { page } = await browser.open(`${server.url}/${path}`, async (page) => {
        page.on("websocket", (socket) => sockets.push(socket.url()));
        await page.route(
          (url) => url.pathname === `/${path.split(/[?#]/)[0]}`,
          async (route) => {
            const answer = await route.fetch();
            const html = (await answer.text()).replace(/<meta name="tidewire-transports".*?>/, "");
            await route.fulfill({ response: answer, body: html.replace("<head>", '<head><meta name="tidewire-transports" content="sse websockets poll">') });
          },
        );
      });
      return { page, sockets };
    };
    const gallery = await open("");
    await expect.poll(() => gallery.page.locator('[data-role="no-websocket"]').isVisible()).toBe(true);
    const feed = await open(`feed/?channel=${freshName()}`);
    const enabled = await feed.page.locator("[data-transport]:enabled").evaluateAll((buttons) => buttons.map((button) => (button as HTMLElement).dataset.transport));
    expect(enabled.sort()).toEqual(["poll", "sse"]);
    const chat = await open(`chat/#${freshName()}`);
    await eventually("the room is read", async () => (await chat.page.getAttribute('[data-role="state"]', "data-state")) === "live");
    expect([...gallery.sockets, ...chat.sockets]).toEqual([]);
  });

  describe.each(TEMPLATES)("%s", (template) => {
    test("does its job in two tabs, and nothing is wrong in the console", async () => {
      const job = await jobOf(template);
      const name = freshName();
      const opened = [await browser.open(`${server.url}/${job.path(name)}`), await browser.open(`${server.url}/${job.path(name)}`, olderBrowser)];
      const [first, second] = opened.map(({ page }) => page) as [Page, Page];
      const shows = await job.act({ first, second, channel: `${server.url}/${template}/${name}` }, 1);
      for (const tab of [second, first]) await shows(tab);
      expect(opened.flatMap(({ errors }) => errors)).toEqual([]);
    });

    test("outlasts a cut network, a killed server, and the time in a tab that is hidden and frozen", { timeout: 300_000 }, async () => {
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
