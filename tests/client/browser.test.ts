// The client in a real browser: every transport from a page of another origin, and a network that comes back.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type * as Client from "../../shared/client/src/index.ts";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { freshName, publish, publishAll, useServer } from "../harness/suite.ts";
import { serve } from "./middlebox.ts";

const server = useServer();
const browser = useBrowser();
let bundle: string;

/** What the page keeps for the test. */
interface Seen {
  data: unknown[];
  subscription: Client.Subscription;
}

declare const client: typeof Client;
declare const seen: Seen;

beforeAll(async () => {
  const built = await build({
    entryPoints: [fileURLToPath(new URL("../../shared/client/src/index.ts", import.meta.url))],
    bundle: true,
    format: "iife",
    globalName: "client",
    write: false,
  });
  bundle = built.outputFiles[0]!.text;
});

async function openPage(): Promise<Page> {
  const base = await serve((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(`<script>${bundle}</script>`));
  return (await browser.open(base)).page;
}

/** Subscribes in the page. */
async function subscribeIn(page: Page, channel: string, options: Client.SubscribeOptions): Promise<void> {
  await page.evaluate(
    ([url, given]) => {
      const data: unknown[] = [];
      const subscription = client.subscribe(url, { ...given, onEvent: (event) => data.push(event.data) });
      Object.assign(window, { seen: { data, subscription } satisfies Seen });
    },
    [channel, options] as const,
  );
}

const stateOf = (page: Page) => page.evaluate(() => seen.subscription.state);
const dataIn = (page: Page) => page.evaluate(() => seen.data);

for (const transport of ["websocket", "sse", "long-poll", "poll"] as const) {
  const tags = transport === "websocket" ? ["websocket"] : [];

  test(`a page of another origin reads history and what comes later over ${transport}, and publishes`, { tags }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const page = await openPage();
    await publishAll(channel, [1, 2]);
    await subscribeIn(page, channel, { transports: [transport], pollMs: 50 });
    await eventually("it is live", async () => (await stateOf(page)) === "live");
    const offset = await page.evaluate((url) => client.publish(url, [3, 4]), channel);
    await eventually("four events", async () => (await dataIn(page)).length >= 4);
    expect(await dataIn(page)).toEqual([1, 2, 3, 4]);
    expect(await page.evaluate(() => seen.subscription.offset)).toBe(offset);
  });
}

test("a page tries again at once when the network is back", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const page = await openPage();
  await page.context().setOffline(true);
  // Waits of days: only a wake can end them within this test.
  await subscribeIn(page, channel, { transports: ["sse"], backoff: { baseMs: 2 ** 31 - 1, capMs: 2 ** 31 - 1 } });
  await eventually("it waits", async () => (await stateOf(page)) === "waiting");
  await publish(channel, "meanwhile");
  await page.context().setOffline(false);
  await eventually("the event", async () => (await dataIn(page)).length === 1);
  expect(await dataIn(page)).toEqual(["meanwhile"]);
});
