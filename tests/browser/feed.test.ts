// The demo pages in a real browser, with samples arriving.

import { spawn } from "node:child_process";
import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Sample } from "../../functions/feed/public/feed.d.ts";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { offers } from "../harness/platform.ts";
import { Proxy } from "../harness/proxy.ts";
import { TRANSPORTS } from "../harness/readers.ts";
import { HARNESS } from "../harness/server.ts";
import { describeOwnServer, freshName, publish, useOwnServer, useServer } from "../harness/suite.ts";

const SAMPLE_MS = 200;
const SERIES = [
  "cpu_percent",
  "memory_percent",
  "load_1m",
  "net_received_kb_s",
  "net_sent_kb_s",
  "disk_read_kb_s",
  "disk_written_kb_s",
];

/** What the page says about itself. */
interface Feed {
  view: "all" | "latest";
  events: number;
  transport: string;
  offset: string;
  gaps: number;
}

const browser = useBrowser();

const feedOf = (page: Page) => page.evaluate(() => (window as unknown as { tidewireFeed: Feed }).tidewireFeed);

function sample(index: number): Sample {
  const values = SERIES.map((name, which) => [name, 50 + 40 * Math.sin(index / 5 + which)]);
  return { at: Date.now(), values: Object.fromEntries(values) };
}

/** Publishes a sample now and then until it is stopped; `stop` answers how many there were. */
function publishSamples(channel: string): { count(): number; stop(): Promise<number> } {
  let count = 0;
  let turn = Promise.resolve();
  const timer = setInterval(() => {
    turn = turn.then(async () => {
      await publish(channel, sample(count));
      count += 1;
    });
  }, SAMPLE_MS);
  onTestFinished(() => clearInterval(timer));
  return {
    count: () => count,
    async stop() {
      clearInterval(timer);
      await turn;
      return count;
    },
  };
}

describe("the feed page", () => {
  const server = useServer();

  test("draws what arrives and goes through all transports without loss", async () => {
    const name = freshName();
    const publisher = publishSamples(`${server.url}/feed/${name}`);
    const { page, errors } = await browser.open(`${server.url}/feed/?channel=${name}`);

    for (const transport of TRANSPORTS) {
      await page.click(`[data-transport="${transport}"]`);
      const { events } = await feedOf(page);
      await eventually(`events by ${transport}`, async () => {
        const now = await feedOf(page);
        return now.transport === transport && now.events >= events + 8;
      });
      await expect.poll(() => page.getAttribute(`[data-transport="${transport}"]`, "aria-pressed")).toBe("true");
      await expect.poll(() => page.innerText('[data-role="transport"]')).toMatch(
        { websocket: /websocket/i, "long-poll": /long.poll/i, poll: /short.poll/i, sse: /sse/i }[transport],
      );
    }

    const published = await publisher.stop();
    await eventually("the page has all events", async () => (await feedOf(page)).events >= published);
    // The page counts what arrives, so one that came twice would be counted too.
    await expect.poll(() => feedOf(page)).toMatchObject({ events: published, gaps: 0 });

    for (const name of SERIES) {
      const points = async () =>
        (await page.getAttribute(`[data-series="${name}"] path.line`, "d"))?.match(/[ML]/g)?.length;
      // One point per sample, up to the width of the chart. The page paints after it has counted.
      await expect.poll(points, { message: name }).toBe(Math.min(published, 120));
    }
    const { offset } = await feedOf(page);
    await eventually("the offset is shown", async () => (await page.innerText('[data-role="offset"]')) === offset);
    await expect.poll(() => page.innerText('[data-role="latency"]')).toMatch(/^[\d.,]+ ms$/);
    expect(errors).toEqual([]);
  });

  test("shows the newest value of each series and its age, and after a break what is newer", async () => {
    const name = freshName();
    const channel = `${server.url}/feed/${name}`;
    for (const index of [1, 2, 3]) await publish(channel, sample(index));
    await publish(channel, { at: Date.now() - 7_200_000, values: { rare_percent: 7 } });
    const { page, errors } = await browser.open(`${server.url}/feed/?channel=${name}&view=latest`);
    const tile = (series: string) => page.locator(`[data-series="${series}"]`).innerText();
    await eventually("one tile for each", async () => (await page.locator("[data-series]").count()) === SERIES.length + 1);
    // One sample has all but one, so that two events say it all.
    await expect.poll(() => feedOf(page)).toMatchObject({ view: "latest", events: 2 });
    await expect.poll(() => tile("rare_percent")).toMatch(/RARE\s+2h\s+7 %/i);
    await publish(channel, { at: Date.now(), values: { rare_percent: 8 } });
    await eventually("the newer value", async () => /\ds\s+8 %/.test(await tile("rare_percent")));
    await page.click('[data-view="all"]');
    await eventually("all that is kept", async () => (await feedOf(page)).events === 5);
    expect(errors).toEqual([]);
  });

  test("an answer that comes when another view is chosen changes nothing", async () => {
    const name = freshName();
    await publish(`${server.url}/feed/${name}`, sample(1));
    type Held = { held?: () => void };
    const { page, errors } = await browser.open(`${server.url}/feed/?channel=${name}&view=latest`, async (page) => {
      await page.addInitScript(() => {
        const { json } = Response.prototype;
        Response.prototype.json = async function () {
          Response.prototype.json = json;
          await new Promise<void>((done) => Object.assign(window, { held: done }));
          return json.call(this);
        };
      });
    });
    await eventually("the newest values are being read", () => page.evaluate(() => (window as Held).held !== undefined));
    await page.click('button[data-view="all"]');
    await eventually("all that is kept", async () => (await feedOf(page)).events === 1);
    await page.evaluate(() => (window as Held).held!());
    await page.evaluate(() => new Promise((done) => setTimeout(done, 200)));
    expect(await feedOf(page)).toMatchObject({ view: "all", events: 1, gaps: 0 });
    expect(errors).toEqual([]);
  });

  test("offers the transports that its server has, and says which it has not", async () => {
    const { page, errors } = await browser.open(`${server.url}/feed/?channel=${freshName()}`);
    const button = page.locator('[data-transport="websocket"]');
    const sentence = page.locator(`#${await button.getAttribute("aria-describedby")}`);
    expect([await button.isEnabled(), await sentence.isVisible()]).toEqual(offers("websocket") ? [true, false] : [false, true]);
    await expect.poll(() => sentence.textContent()).toMatch(/^This server takes no WebSocket\./);
    for (const transport of ["sse", "long-poll", "poll"]) await expect.poll(() => page.locator(`[data-transport="${transport}"]`).isEnabled()).toBe(true);
    expect(errors).toEqual([]);
  });

  test("continues over SSE when WebSockets fail", async () => {
    const name = freshName();
    let drop = () => {};
    const { page } = await browser.open(`${server.url}/feed/?channel=${name}`, async (page) => {
      let sockets = 0;
      // A server by hand, on every platform: it takes one WebSocket, and no other.
      await page.addInitScript(() => document.addEventListener("readystatechange", () => document.querySelector("meta[name=tidewire-transports]")?.remove()));
      await page.routeWebSocket(/demo-test-/, (socket) => {
        sockets += 1;
        if (sockets > 1) return void socket.close({ code: 1011 });
        socket.send(JSON.stringify({ type: "hello", protocol: "tidewire.v1", offset: "-1", contentType: "application/json" }));
        drop = () => void socket.close({ code: 1011 });
      });
    });
    await page.click('[data-transport="websocket"]');
    await eventually("it is live", async () => (await page.getAttribute('[data-role="state"]', "data-state")) === "live");
    expect((await feedOf(page)).transport).toBe("websocket");
    drop();
    await publish(`${server.url}/feed/${name}`, sample(1));
    await eventually("it reads over SSE", async () => {
      const { transport, events } = await feedOf(page);
      return transport === "sse" && events === 1;
    }, 30_000);
    await expect.poll(() => page.getAttribute('[data-transport="sse"]', "aria-pressed")).toBe("true");
  });

  test("requests the newest values again after the page of a proxy, and offers no WebSocket that would need a token", async () => {
    const name = freshName();
    await publish(`${server.url}/feed/${name}`, sample(1));
    let asked = 0;
    const { page } = await browser.open(`${server.url}/feed/?channel=${name}&view=latest`, async (page) => {
      await page.route("**/feed/-/access.js", (route) => route.fulfill({ contentType: "text/javascript", body: 'export const access = { token: () => "" };' }));
      await page.route(/view=latest&offset/, async (route) => {
        asked += 1;
        if (asked === 1) await route.fulfill({ contentType: "text/html", body: "<p>Log in to the hotel</p>" });
        else await route.fallback();
      });
    });
    await eventually("the value is there", async () => (await feedOf(page)).events === 1);
    expect(asked).toBeGreaterThan(1);
    await expect.poll(() => page.isDisabled('[data-transport="websocket"]')).toBe(true);
    await expect.poll(() => page.innerText('[data-role="no-websocket"]')).toMatch(/^(No|This server takes no) WebSocket/);
  });

  test("a character of the name that an address has other uses for is part of the name", async () => {
    const { page } = await browser.open(`${server.url}/feed/?channel=demo-x%23y%3Fz`);
    await eventually("it is refused", async () => (await page.getAttribute('[data-role="state"]', "data-state")) === "refused");
    await expect.poll(() => page.innerText('[data-role="notice"]')).toContain("#");
  });

  test("shows the history to a page that opens later", async () => {
    const name = freshName();
    for (const index of [1, 2, 3]) await publish(`${server.url}/feed/${name}`, sample(index));
    const { page, errors } = await browser.open(`${server.url}/feed/?channel=${name}`);
    await eventually("three events", async () => (await feedOf(page)).events === 3);
    expect(errors).toEqual([]);
  });
});

describeOwnServer("the pages on a server of their own", () => {
  const server = useOwnServer("browser-own", { RETRY_MS: "200" });

  test.each(TRANSPORTS)("by %s the feed page rides out a cut connection and a killed server", async (transport) => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const name = freshName();
    const channel = `${server.url}/feed/${name}`;
    const { page } = await browser.open(`${proxy.url}/feed/?channel=${name}`);
    await page.click(`[data-transport="${transport}"]`);
    let published = 0;
    const seesAll = async () => {
      for (const end = published + 5; published < end; ) await publish(channel, sample(published++));
      await eventually("the page has all events", async () => (await feedOf(page)).events >= published, 60_000);
    };
    await seesAll();
    proxy.cut();
    await seesAll();
    await server.kill9();
    await server.restart();
    await seesAll();
    await expect.poll(() => feedOf(page)).toMatchObject({ transport, events: published, gaps: 0 });
  });

  test("a transport that is chosen while the newest values are read begins after those", async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const name = freshName();
    const channel = `${server.url}/feed/${name}`;
    await publish(channel, sample(1));
    const { page } = await browser.open(`${proxy.url}/feed/?channel=${name}&view=latest`);
    await eventually("it is live", async () => (await feedOf(page)).events === 1 && (await page.getAttribute('[data-role="state"]', "data-state")) === "live");
    const next = await publish(channel, sample(2));
    await eventually("it has the second", async () => (await feedOf(page)).events === 2);
    // A first page, which leads to a second that does not come.
    const later = next.replace(/.$/, (digit) => String((Number(digit) + 1) % 10));
    let isBehind = false;
    await page.route(/view=latest&offset/, async (route) => {
      isBehind = route.request().url().endsWith(later);
      if (!isBehind) await route.fulfill({ headers: { "stream-next-offset": later }, json: [sample(3)] });
    });
    proxy.cut();
    await eventually("it has read the first page", () => isBehind);
    expect(await feedOf(page)).toMatchObject({ offset: later, events: 3 });
    await page.evaluate(() => document.querySelector<HTMLElement>('[data-transport="long-poll"]')!.click());
    expect((await feedOf(page)).offset).toBe(later);
  });

  test("draws what this machine is doing, as `cargo harness demo` publishes it", async () => {
    const { page, errors } = await browser.open(`${server.url}/feed/`);
    const demo = spawn(HARNESS, ["demo", "--url", server.url, "--count", "5"], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void demo.kill());
    await eventually("every series of the machine has a line", async () => {
      const lines = await page.locator("[data-series] path.line").evaluateAll((paths) => paths.map((path) => path.getAttribute("d")));
      return lines.length >= SERIES.length && lines.every((line) => line?.includes("L"));
    });
    for (const name of SERIES) await expect.poll(() => page.innerText(`[data-series="${name}"] output`)).toMatch(/^[\d.,KM]+$/);
    expect(errors).toEqual([]);
  });
});
