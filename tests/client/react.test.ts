// `useChannel` in React itself, in a browser, under StrictMode, which starts every effect twice.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { ChannelOptions, ChannelView } from "../../shared/client/src/react.ts";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { freshName, numbers, publish, publishAll, useServer } from "../harness/suite.ts";
import { serve } from "./middlebox.ts";

const server = useServer();
const browser = useBrowser();
const SOURCE = fileURLToPath(new URL("../../shared/client/src/react.ts", import.meta.url));
const TESTS = fileURLToPath(new URL("..", import.meta.url));

/** The page: `show` renders a channel, `views` are those that its component was rendered with. */
const PAGE = `
  import { Activity, createElement, StrictMode } from "react";
  import { createRoot } from "react-dom/client";
  import { renderToString } from "react-dom/server.browser";
  import { useChannel } from ${JSON.stringify(SOURCE)};

  window.views = [];
  function Channel({ url, options }) {
    const view = useChannel(url, { ...options });
    window.views.push(view);
    return view.state;
  }
  const strict = ({ mode, ...props }) => createElement(StrictMode, null, createElement(Activity, { mode }, createElement(Channel, props)));
  const root = createRoot(document.body);
  window.show = (url, options, mode) => root.render(strict({ url, options, mode }));
  window.hide = () => root.render(null);
  window.renderOnServer = (url) => renderToString(strict({ url }));
`;

declare const show: (url: string, options?: ChannelOptions, mode?: "hidden") => void;
declare const hide: () => void;
declare const renderOnServer: (url: string) => string;
declare const views: ChannelView[];

let bundle: string;

beforeAll(async () => {
  const built = await build({
    stdin: { contents: PAGE, resolveDir: TESTS },
    // The client lies outside, and React is the application's.
    nodePaths: [`${TESTS}/node_modules`],
    bundle: true,
    format: "iife",
    // Only there StrictMode does anything.
    define: { "process.env.NODE_ENV": '"development"' },
    write: false,
  });
  bundle = built.outputFiles[0]!.text;
});

async function openPage(): Promise<Page> {
  const base = await serve((_, answer) => answer.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(`<body></body><script>${bundle}</script>`));
  return (await browser.open(base)).page;
}

const showIn = (page: Page, url: string, options: ChannelOptions) => page.evaluate(([url, options]) => show(url, options), [url, options] as const);
const viewIn = (page: Page) => page.evaluate(() => views.at(-1)!);
const dataIn = async (page: Page) => (await viewIn(page)).events.map(({ data }) => data);

for (const transport of ["websocket", "sse"] as const) {
  const tags = transport === "websocket" ? ["websocket"] : [];

  test(`shows history and what comes later once and in order over ${transport}, although it is started twice`, { tags }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const page = await openPage();
    await publishAll(channel, [1, 2]);
    await showIn(page, channel, { transports: [transport] });
    await eventually("history", async () => (await dataIn(page)).length === 2);
    await publish(channel, 3);
    await eventually("the new event", async () => (await dataIn(page)).length === 3);
    expect(await dataIn(page)).toEqual([1, 2, 3]);
    expect(await viewIn(page)).toMatchObject({ state: "live", transport });
    expect(await page.textContent("body")).toContain("live");
  });
}

test("a page of history is one rendering, and only the newest events are kept", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const page = await openPage();
  await publishAll(channel, numbers(1, 500));
  await showIn(page, channel, { transports: ["poll"], pollMs: 50, keep: 10 });
  await eventually("history", async () => (await dataIn(page)).length > 0);
  expect(await dataIn(page)).toEqual(numbers(491, 500));
  // Once for each state and once for the page, and each twice for StrictMode.
  expect(await page.evaluate(() => views.length)).toBeLessThan(20);
});

test("another address is another channel, and a component that is gone reads no more", async () => {
  const [one, other] = [freshName(), freshName()].map((name) => `${server.url}/feed/${name}`) as [string, string];
  const page = await openPage();
  await publish(one, "one");
  await publish(other, "other");
  await showIn(page, one, { transports: ["long-poll"] });
  await eventually("the one", async () => (await dataIn(page)).includes("one"));
  await showIn(page, other, { transports: ["long-poll"] });
  await eventually("the other", async () => (await dataIn(page)).includes("other"));
  expect(await dataIn(page)).toEqual(["other"]);

  const ended = page.waitForEvent("requestfailed", (request) => request.url().startsWith(other));
  await page.evaluate(() => hide());
  expect((await ended).failure()?.errorText).toBe("net::ERR_ABORTED");
});

test("a component that was hidden resumes at its position", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const page = await openPage();
  await publishAll(channel, [1, 2]);
  await showIn(page, channel, { transports: ["sse"] });
  await eventually("history", async () => (await dataIn(page)).length === 2);
  const ended = page.waitForEvent("requestfailed");
  await page.evaluate((url) => show(url, {}, "hidden"), channel);
  await ended;
  await publish(channel, 3);
  await showIn(page, channel, {});
  await eventually("the new event", async () => (await dataIn(page)).length > 2);
  expect(await dataIn(page)).toEqual([1, 2, 3]);
});

test("says why it waits, and no longer once it continues", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const page = await openPage();
  await page.context().setOffline(true);
  await showIn(page, channel, { transports: ["sse"], backoff: { baseMs: 2 ** 31 - 1, capMs: 2 ** 31 - 1 } });
  await eventually("it waits", async () => (await viewIn(page)).state === "waiting");
  expect(await page.evaluate(() => views.at(-1)!.error?.code)).toBe("connection-lost");
  await publish(channel, "meanwhile");
  await page.context().setOffline(false);
  await eventually("it continues", async () => (await dataIn(page)).length === 1);
  expect(await page.evaluate(() => views.at(-1)!.error === undefined)).toBe(true);
});

test("reports that a hook gives no token, and calls it no more after the component is gone", async () => {
  const page = await openPage();
  await page.clock.install();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  const count = () => page.evaluate(() => (window as unknown as { hooks: number }).hooks);
  await page.evaluate((url) => {
    Object.assign(window, { hooks: 0 });
    show(url, { transports: ["sse"], token: () => ((window as unknown as { hooks: number }).hooks++, new Promise<string>(() => {})) });
  }, `${server.url}/feed/${freshName()}`);
  await eventually("the hook", async () => (await count()) > 0);
  await page.clock.runFor(10_000);
  // React renders in turns of its own.
  await eventually("the view waits", () => page.evaluate(() => views.at(-1)!.state === "waiting"));
  expect(await page.evaluate(() => [views.at(-1)!.error?.code, views.at(-1)!.error?.retryable])).toEqual(["timeout", true]);
  await page.evaluate(() => hide());
  const before = await count();
  await page.clock.runFor(120_000);
  expect([await count(), asked]).toEqual([before, []]);
});

test("an address that cannot work is the component's error", async () => {
  const page = await openPage();
  const thrown = page.waitForEvent("pageerror");
  await page.evaluate(() => show("wss://channel.test/x"));
  expect((await thrown).message).toContain("an address is http: or https:");
});

test("renders on a server and sends no request there", async () => {
  const page = await openPage();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  expect(await page.evaluate((url) => renderOnServer(url), `${server.url}/feed/${freshName()}`)).toContain("connecting");
  expect(asked).toEqual([]);
});

test("is at most 60 lines", () => {
  expect(readFileSync(SOURCE, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(60);
});
