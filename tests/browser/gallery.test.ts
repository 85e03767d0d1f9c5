// The gallery in a real browser: its miniatures, and "pull the plug" with a publisher that sends.

import { join } from "node:path";
import type { Page, Request } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { moduleOf, takeScreenshots, useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { offers } from "../harness/platform.ts";
import { Proxy } from "../harness/proxy.ts";
import { OUTPUT } from "../harness/server.ts";
import { BASE_URL, describeOwnServer, publish, useOwnServer, useServer } from "../harness/suite.ts";

const browser = useBrowser();

/** What "pull the plug" says about itself. */
interface Plug {
  sent: number;
  isRunning: boolean;
  pulled: string;
  lanes: { id: string; state: string; transport: string; received: number; lost: number; doubled: number }[];
}

const plugOf = (page: Page) => page.evaluate(() => (window as unknown as { tidewirePlug: Plug }).tidewirePlug);
const oursOf = ({ lanes }: Plug) => lanes.filter(({ transport }) => transport);
const naiveOf = ({ lanes }: Plug) => lanes.filter(({ transport }) => !transport);
const press = (page: Page, role: string) => page.click(`[data-role="${role}"]`);
const state = (page: Page, template: string) => page.getAttribute(`[data-template="${template}"]`, "data-state");

/** Counts what is held at once of the six connections of a browser, which WebSockets are not among: SSE and long polls. */
function watchStreams(page: Page): { most: number; open: Map<string, Request> } {
  const seen = { most: 0, open: new Map<string, Request>() };
  // The browser reports the start of a reader's next long poll before the end of its last long poll.
  const key = (request: Request) => request.url().replace(/(offset|cursor)=[^&]*&?/g, "");
  const begin = (request: Request) => {
    seen.open.set(key(request), request);
    seen.most = Math.max(seen.most, seen.open.size);
  };
  const end = (request: Request) => void (seen.open.get(key(request)) === request && seen.open.delete(key(request)));
  page.on("request", (request) => request.url().includes("live=long-poll") && begin(request));
  page.on("response", (response) => response.headers()["content-type"]?.startsWith("text/event-stream") && begin(response.request()));
  page.on("requestfinished", end);
  page.on("requestfailed", end);
  return seen;
}

async function sends(page: Page, count: number): Promise<void> {
  const { sent } = await plugOf(page);
  await eventually(`${count} more events`, async () => (await plugOf(page)).sent >= sent + count, 60_000);
}

/** Ours have all that was sent, each once, whatever happened before. */
async function seesNoLoss(page: Page): Promise<void> {
  const { sent } = await plugOf(page);
  await eventually("every lane of the channel has all events", async () => oursOf(await plugOf(page)).every(({ received }) => received >= sent), 60_000);
  for (const lane of oursOf(await plugOf(page))) expect(lane).toMatchObject({ lost: 0, doubled: 0 });
}

async function seesLoss(page: Page, than: number[]): Promise<number[]> {
  const lost = async () => naiveOf(await plugOf(page)).map((lane) => lane.lost);
  await eventually("every naive lane has lost more", async () => (await lost()).every((now, index) => now > than[index]!), 60_000);
  return lost();
}

async function start(page: Page): Promise<void> {
  await press(page, "start");
  await eventually("every lane is live", async () => (await plugOf(page)).lanes.every(({ state }) => state === "live"));
  await sends(page, 5);
}

describe("the gallery", () => {
  // Its channels have fixed names, which no other file may use in the meantime.
  const server = BASE_URL ? useServer() : useOwnServer("browser-gallery");

  test("the cards that are seen are live, three streams at most, and pressing one shows in a second tab", { timeout: 300_000 }, async () => {
    const first = await browser.open(server.url);
    const streams = watchStreams(first.page);
    const { page } = first;
    const names = await page.locator("[data-template]").evaluateAll((cards) => cards.map((card) => (card as HTMLElement).dataset.template!));
    expect(names).toEqual(expect.arrayContaining(["chat", "collab", "feed", "devices", "status", "progress", "notifications", "streams"]));

    const second = await page.context().newPage();
    const errors: string[] = [];
    second.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    second.on("pageerror", (error) => errors.push(error.message));
    const others = watchStreams(second);
    await second.goto(server.url);

    for (const name of names) {
      for (const tab of [page, second]) {
        await tab.locator(`[data-template="${name}"]`).scrollIntoViewIfNeeded();
        await tab.hover(`[data-template="${name}"] h3`);
        await eventually(`${name} is live`, async () => (await state(tab, name)) === "live");
        // The status polls now and then and keeps no connection open.
        expect(await tab.locator('[data-template]:not([data-state="paused"], [data-template="status"])').count()).toBeLessThanOrEqual(3);
      }
      const stage = `[data-template="${name}"] .stage`;
      const before = await second.innerHTML(stage);
      await page.click(`[data-template="${name}"] .act`);
      await eventually(`${name} shows it in the second tab`, async () => (await second.innerHTML(stage)) !== before);
    }
    // By now the cards of the room are paused: a visitor is one whose card is live.
    for (const tab of [page, second]) await tab.hover('[data-template="chat"] h3');
    await eventually("each counts the other", async () => /1 other/.test(await page.innerText('[data-template="chat"] .count')));
    for (const tab of [page, second]) await tab.hover('[data-template="notifications"] h3');
    await page.click('[data-template="notifications"] .stage button');
    await eventually("what one has read is read for the other", async () => /nothing unread/i.test(await second.innerText('[data-template="notifications"] .stage')));
    for (const { most } of [streams, others]) {
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(3);
    }
    await second.close();
    await takeScreenshots(page, "gallery");
    expect([...first.errors, ...errors]).toEqual([]);
  });

  test("a cursor moves by pointer and by keyboard, for the other visitor too", async () => {
    const [first, second] = [await browser.open(server.url), await browser.open(server.url)];
    const stage = '[data-template="chat"] .stage';
    for (const { page } of [first, second]) {
      await page.locator(stage).scrollIntoViewIfNeeded();
      await page.hover(stage);
    }
    // By its id: visitors of the tests before may still have their lease.
    const id = await first.page.locator(`${stage} [data-person]`, { hasText: /^you$/ }).getAttribute("data-person");
    const cursor = `${stage} [data-person="${id}"]`;
    const position = (page: Page) => page.locator(cursor).evaluate((one) => (one as HTMLElement).style.translate);
    await second.page.waitForSelector(cursor);
    const before = await position(first.page);
    await first.page.focus(stage);
    for (let step = 0; step < 4; step++) await first.page.keyboard.press("ArrowLeft");
    const after = await position(first.page);
    expect(after).not.toBe(before);
    // The last step too: a farewell that overtook it would be forgotten.
    await eventually("the other sees it where it is now", async () => (await position(second.page)) === after);
    await first.page.close();
    await eventually("who left is gone", async () => (await second.page.locator(cursor).count()) === 0);
    expect([...first.errors, ...second.errors]).toEqual([]);
  });

  test("a cursor never jumps back, and its last place is told last, however late the answers come", async () => {
    const [first, second] = [await browser.open(server.url), await browser.open(server.url)];
    const stage = '[data-template="chat"] .stage';
    for (const { page } of [first, second]) {
      await page.locator(stage).scrollIntoViewIfNeeded();
      await eventually("it is live", async () => (await state(page, "chat")) === "live");
    }
    const { id, x } = await (await moduleOf(first.page, `${server.url}/-/cards/me.js`)).evaluate(({ me }) => me as { id: string; x: number });
    const position = (page: Page) => page.locator(`${stage} [data-person="${id}"]`).evaluate((one) => (one as HTMLElement).style.translate);
    // What tells of a step is held back.
    const held: (() => void)[] = [];
    await first.page.route("**/chat/-/presence/*", async (route) => {
      const { state } = route.request().postDataJSON() as { state: { x: number } | null };
      if (state && state.x < x) await new Promise<void>((done) => held.push(done));
      await route.continue();
    });
    await first.page.focus(stage);
    await first.page.keyboard.press("ArrowLeft");
    const step = await position(first.page);
    await eventually("the first step is on its way", () => held.length === 1);
    for (let more = 0; more < 3; more++) await first.page.keyboard.press("ArrowLeft");
    const last = await position(first.page);
    held[0]!();
    await eventually("the other sees the first step", async () => (await position(second.page)) === step);
    await eventually("the other steps are on their way, together", () => held.length === 2);
    expect(await position(first.page)).toBe(last);
    held[1]!();
    await eventually("the other sees the last step", async () => (await position(second.page)) === last);
    expect(await position(first.page)).toBe(last);
  });

  test("the text of the shared document waits for the document", async () => {
    let answer: (() => void) | undefined;
    const { page, errors } = await browser.open(server.url, async (page) => {
      await page.route("**/collab/-/version/**", async (route) => {
        await new Promise<void>((done) => (answer = done));
        await route.fallback();
      });
    });
    const card = page.locator('[data-template="collab"]');
    await card.scrollIntoViewIfNeeded();
    await card.hover();
    await eventually("the document is on its way", () => answer !== undefined);
    const isEditable = () => card.locator("textarea").isEditable();
    expect(await isEditable()).toBe(false);
    answer!();
    await eventually("it can be written", isEditable);
    expect(errors).toEqual([]);
  });

  test("a card that was paused while its sample was on its way publishes no other", async () => {
    const { page } = await browser.open(server.url, (page) => page.clock.install());
    let samples = 0;
    let send: (() => void) | undefined;
    await page.route("**/feed/demo-machine", async (route) => {
      samples += 1;
      await new Promise<void>((done) => (send = done));
      await route.fulfill({ status: 204, headers: { "stream-next-offset": "000000000001_00000000000001" } });
    });
    await page.hover('[data-template="feed"] h3');
    await eventually("it is live", async () => (await state(page, "feed")) === "live");
    await page.clock.fastForward(4_000);
    await eventually("a sample is on its way", () => send !== undefined);
    await hide(page, true);
    await eventually("it is paused", async () => (await state(page, "feed")) === "paused");
    await Promise.all([page.waitForResponse("**/feed/demo-machine"), send!()]);
    for (let second = 0; second < 5; second++) {
      await page.clock.fastForward(1_000);
      await page.evaluate(() => new Promise((done) => setTimeout(done, 50)));
    }
    expect(samples).toBe(1);
  });

  test("an answer of the status that was on its way when somebody set it is not the last", async () => {
    const { page } = await browser.open(server.url, async (page) => {
      await page.addInitScript(() => {
        const later = window.setTimeout;
        // The next poll by the clock never comes.
        window.setTimeout = ((then: () => void, ms: number, ...given: []) => (ms >= 4_000 ? 0 : later(then, ms, ...given))) as typeof setTimeout;
      });
    });
    const card = page.locator('[data-template="status"]');
    await card.scrollIntoViewIfNeeded();
    await eventually("it is live", async () => (await state(page, "status")) === "live");
    let show: (() => void) | undefined;
    await page.route("**/status/demo-status", async (route) => {
      if (show || route.request().method() !== "GET") return route.fallback();
      const response = await route.fetch();
      await new Promise<void>((done) => (show = done));
      await route.fulfill({ response });
    });
    await card.locator(".act").click();
    await eventually("an answer is on its way", () => show !== undefined);
    await publish(`${server.url}/status/demo-status`, { Website: { state: "down" } });
    await card.evaluate((card) => {
      const set = new Promise((done) => card.querySelector(".stage")!.addEventListener("set", done, { once: true }));
      card.querySelector<HTMLElement>(".act")!.click();
      return set;
    });
    show!();
    await eventually("it shows what was set since", async () => (await card.locator('[data-is="down"]').count()) === 1);
  });

  test("the feed's card shows the newest sample of the machine", async () => {
    const { page, errors } = await browser.open(server.url);
    await page.hover('[data-template="feed"] h3');
    await eventually("it is live", async () => (await state(page, "feed")) === "live");
    await publish(`${server.url}/feed/demo-machine`, { at: Date.now(), values: { cpu_percent: 37.4, memory_percent: 61.8 } });
    await eventually("a sample is shown", async () => /37[.,]4 %/.test(await page.innerText('[data-template="feed"] .stage')));
    expect(errors).toEqual([]);
  });

  test("cut, switched and stalled, the lanes of the channel lose nothing, and the naive lanes show what they lost", { timeout: 300_000 }, async () => {
    const { page, errors } = await browser.open(server.url);
    const streams = watchStreams(page);
    await start(page);
    expect(oursOf(await plugOf(page)).map(({ transport }) => transport)).toEqual(["websocket", "sse", "long-poll", "poll"].filter((one) => one !== "websocket" || offers("websocket")));
    expect(naiveOf(await plugOf(page))).toHaveLength(offers("websocket") ? 2 : 1);
    await expect.poll(() => page.locator('[data-role="no-websocket"]').isVisible()).toBe(!offers("websocket"));

    await press(page, "cut");
    await eventually("the network is back", async () => !(await plugOf(page)).pulled);
    const lost = await seesLoss(page, naiveOf(await plugOf(page)).map(() => 0));
    await seesNoLoss(page);
    await page.locator('[data-role="plug"]').screenshot({ path: join(OUTPUT, "screenshots", "plug-after-cut.png") });

    for (const _ of oursOf(await plugOf(page))) {
      const before = oursOf(await plugOf(page)).map(({ transport }) => transport);
      await press(page, "change");
      expect(oursOf(await plugOf(page)).map(({ transport }) => transport)).toEqual([...before.slice(1), before[0]]);
      await sends(page, 4);
      await seesNoLoss(page);
    }

    // In the page, since the stall ends by itself.
    const whileStalled = page.evaluate(
      () =>
        new Promise<Plug>((done) => {
          const { tidewirePlug: plug } = window as unknown as { tidewirePlug: Plug };
          let last: Plug | undefined;
          const timer = setInterval(() => {
            if (plug.pulled === "stall") last = { ...plug, lanes: plug.lanes };
            else if (last) done((clearInterval(timer), last));
          }, 20);
        }),
    );
    await press(page, "stall");
    const stalled = await whileStalled;
    for (const lane of stalled.lanes) expect(lane.received).toBeLessThan(stalled.sent);
    await sends(page, 5);
    await seesNoLoss(page);
    // Nothing is lost by waiting.
    expect(naiveOf(await plugOf(page)).map((lane) => lane.lost)).toEqual(lost);

    await page.evaluate(() => scrollTo(0, 0));
    await takeScreenshots(page, "gallery-plug");
    // It pauses by itself where a screenshot moves it out of sight.
    await page.evaluate(() => {
      if ((window as unknown as { tidewirePlug: Plug }).tidewirePlug.isRunning) document.querySelector<HTMLElement>('[data-role="start"]')!.click();
    });
    await eventually("all streams are closed", async () => streams.open.size === 0 && (await plugOf(page)).lanes.every(({ state }) => state === "closed"));
    expect(streams.most).toBeLessThanOrEqual(3);
    const { sent } = await plugOf(page);
    await start(page);
    await seesNoLoss(page);
    expect((await plugOf(page)).sent).toBeGreaterThan(sent);
    expect(errors).toEqual([]);
  });

  test("a naive stream lives over the comments that keep it, and what it gives up is closed", async () => {
    const { page } = await browser.open(server.url, async (page) => {
      await page.addInitScript(() => {
        const seen = { requests: 0, cancelled: 0 };
        Object.assign(window, { naiveSeen: seen });
        const fetchAnyway = fetch;
        const encoder = new TextEncoder();
        window.fetch = (input, init) => {
          if (!String(input).includes("lane=naive-sse")) return fetchAnyway(input, init);
          seen.requests += 1;
          const body = new ReadableStream({
            start(stream) {
              for (const frame of ['data: {"n":1,"at":0}\n\n:', "\n\n", ':\n\ndata: {"n":2,"at":0}\n\n']) stream.enqueue(encoder.encode(frame));
              Object.assign(window, { breakNaive: () => stream.enqueue(encoder.encode("data: x\n\n")) });
            },
            cancel: () => void (seen.cancelled += 1),
          });
          return Promise.resolve(new Response(body));
        };
      });
    });
    const seen = () => page.evaluate(() => (window as unknown as { naiveSeen: { requests: number; cancelled: number } }).naiveSeen);
    const lane = async () => (await plugOf(page)).lanes.find(({ id }) => id === "naive-sse")!;
    await press(page, "start");
    await eventually("both events are there", async () => (await lane()).received === 2);
    await expect.poll(() => lane()).toMatchObject({ state: "live", doubled: 0 });
    await expect.poll(() => seen()).toEqual({ requests: 1, cancelled: 0 });
    await page.evaluate(() => (window as unknown as { breakNaive: () => void }).breakNaive());
    await eventually("it has asked again", async () => (await lane()).doubled === 2);
    await expect.poll(() => seen()).toEqual({ requests: 2, cancelled: 1 });
  });

  test("a naive stream that is stopped before its answer gets through stays closed", async () => {
    const { page } = await browser.open(server.url);
    const modules = await Promise.all(["lanes", "line"].map((name) => moduleOf(page, `${server.url}/-/${name}.js`)));
    const states = await page.evaluate(async ([{ NaiveSseLane }, line]) => {
      line.stall();
      const lane = new NaiveSseLane("-/naive/demo-stalled");
      const states: string[] = [];
      lane.changed = () => states.push(lane.state);
      const over = lane.start();
      const { bytes } = lane.meter;
      while (lane.meter.bytes === bytes) await new Promise((done) => setTimeout(done, 10));
      lane.stop();
      line.release();
      await over;
      return states;
    }, modules as any[]);
    expect(states).toEqual(["connecting", "closed"]);
  });

  test("a second tab that finds no stream free says so, and gets them when the first pauses", async () => {
    const { page, errors } = await browser.open(server.url);
    await start(page);
    const second = await page.context().newPage();
    await second.goto(server.url);
    await press(second, "start");
    await eventually("it says so", async () => /other tabs/i.test(await second.innerText('[data-role="said"]')));
    await press(page, "start");
    await eventually("the streams are free", async () => (await plugOf(page)).lanes.every(({ state }) => state === "closed"));
    await eventually("the other tab can have them", async () => (await page.evaluate(async () => (await navigator.locks.query()).held!.length)) <= 2);
    await start(second);
    await seesNoLoss(second);
    expect(errors).toEqual([]);
  });

  test("an event that is refused after a pause does not end the next run", async () => {
    const { page } = await browser.open(server.url, (page) => page.clock.install());
    await start(page);
    let refuse: (() => void) | undefined;
    await page.route("**/feed/demo-plug-*", async (route) => {
      if (refuse || route.request().method() !== "POST") return route.fallback();
      await new Promise<void>((done) => (refuse = done));
      const body = JSON.stringify({ type: "urn:tidewire:event-refused", title: "", status: 422, detail: "not this event" });
      await route.fulfill({ status: 422, contentType: "application/problem+json", body });
    });
    await eventually("an event is on its way", () => refuse !== undefined);
    await press(page, "start");
    refuse!();
    await eventually("it is refused", async () => /not this event/.test(await page.innerText('[data-role="said"]')));
    await press(page, "start");
    await eventually("it goes on", async () => (await plugOf(page)).isRunning);
    await page.clock.fastForward(3_000);
    await sends(page, 3);
    expect((await plugOf(page)).lanes.filter(({ state }) => state === "closed")).toEqual([]);
  });

  test("is worked by keyboard alone", async () => {
    const { page } = await browser.open(server.url);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await sends(page, 3);
    await expect.poll(() => page.isEnabled('[data-role="cut"]')).toBe(true);
    // In the page, since the cut ends by itself.
    const isCut = page.waitForFunction(() => (window as unknown as { tidewirePlug: Plug }).tidewirePlug.pulled === "cut", undefined, { polling: 50 });
    for (const key of ["Tab", "Enter"]) await page.keyboard.press(key);
    await isCut;
  });
});

describeOwnServer("the gallery on a server of its own", () => {
  const server = useOwnServer("browser-gallery-own", { RETRY_MS: "200", OPEN_ACCESS: "false" });

  test("a job is deleted before the next under its name, and not before there is one", async () => {
    const { page, errors } = await browser.open(server.url);
    const asked: string[] = [];
    page.on("request", (request) => request.url().endsWith("/progress/demo-gallery") && asked.push(request.method()));
    const card = page.locator('[data-template="progress"]');
    await card.scrollIntoViewIfNeeded();
    await card.hover();
    await eventually("it is live", async () => (await state(page, "progress")) === "live");
    await card.locator(".act").click();
    await eventually("the job is done", async () => (await card.locator("output").innerText()) === "done");
    expect(asked.filter((method) => method === "PUT" || method === "DELETE")).toEqual(["PUT"]);
    await card.locator(".act").click();
    await eventually("the next has begun", async () => asked.filter((method) => method === "PUT").length === 2);
    expect(asked.filter((method) => method === "PUT" || method === "DELETE")).toEqual(["PUT", "DELETE", "PUT"]);
    expect(errors).toEqual([]);
  });

  test("who works on a job begins no other beside it, though an older job ends late", async () => {
    const { page } = await browser.open(server.url);
    const channel = `${server.url}/progress/demo-gallery`;
    await fetch(channel, { method: "DELETE" });
    const card = page.locator('[data-template="progress"]');
    await card.scrollIntoViewIfNeeded();
    await card.hover();
    await eventually("it is live", async () => (await state(page, "progress")) === "live");
    let isBegun = false;
    // Its request never arrives.
    await page.route("**/progress/demo-gallery", (route) => (route.request().method() === "PUT" ? void (isBegun = true) : route.fallback()));
    await card.locator(".act").click();
    await eventually("it has begun", () => isBegun);
    const ended = { type: "done", label: "An older job", value: 1, max: 1, unit: "frames", at: Date.now() };
    const made = await fetch(channel, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(ended) });
    expect(made.status, await made.text()).toBe(201);
    await eventually("the older job is done", async () => /older/.test(await card.innerText()));
    // Resolves when its work is done: at once, or never.
    await (await moduleOf(page, `${server.url}/-/cards/progress.js`)).evaluate(({ card }) => card.press());
  });

  test("a network that is really cut and a server that is killed cost the channel nothing", { timeout: 300_000 }, async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const { page } = await browser.open(proxy.url);
    await start(page);
    proxy.cut();
    await sends(page, 10);
    await seesNoLoss(page);
    const before = naiveOf(await plugOf(page)).map(({ lost }) => lost);
    await server.kill9();
    await sends(page, 10);
    await server.restart();
    await eventually("every lane is live again", async () => (await plugOf(page)).lanes.every(({ state }) => state === "live"), 60_000);
    await sends(page, 10);
    await seesLoss(page, before);
    await seesNoLoss(page);
  });

  test("a page that was hidden for long continues", async () => {
    const { page, errors } = await browser.open(server.url);
    await start(page);
    await hide(page, true);
    await eventually("it has paused", async () => (await plugOf(page)).lanes.every(({ state }) => state === "closed"));
    await hide(page, false);
    await start(page);
    await seesNoLoss(page);
    expect(errors).toEqual([]);
  });
});

/** As the browser does when the tab goes to the background and comes back. */
async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}
