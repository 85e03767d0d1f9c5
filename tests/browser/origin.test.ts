// The bytes that a stranger stores never run on the origin of the pages, and a browser's own EventSource has a position before its first event.

import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { describeOwnServer, freshName, publish, useOwnServer, useServer } from "../harness/suite.ts";

const pages = useBrowser();

describe("what is stored", () => {
  const server = useServer();

  async function stored(type: string, body: string): Promise<string> {
    const url = `${server.url}/v1/stream/${freshName()}`;
    expect((await fetch(url, { method: "PUT", headers: { "content-type": type }, body })).status).toBe(201);
    return url;
  }

  test("is saved and not shown where it could run, and runs nothing in a frame", async () => {
    const script = "<script>top.ran = 1; document.title = 'ran'; document.cookie = 'ran=1'</script>";
    const { page } = await pages.open(`${server.url}/feed/-/inspector`);
    for (const [type, body] of [
      ["text/html", `<!doctype html>${script}`],
      ["application/xhtml+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><head>${script}</head></html>`],
      ["image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg">${script}</svg>`],
    ] as const) {
      const url = await stored(type, body);
      const saved = page.waitForEvent("download");
      // The navigation ends in the download.
      await page.goto(url).catch(() => {});
      await (await saved).cancel();
      expect(new URL(page.url()).pathname, type).toBe("/feed/-/inspector");
    }
    expect(await page.evaluate(() => [document.cookie, "ran" in window])).toEqual(["", false]);
  });

  test("is neither a script nor a style nor a worker of a page", async () => {
    const script = await stored("text/javascript", "globalThis.ran = true; self.onfetch = () => {}; self.postMessage('ran')");
    const style = await stored("text/css", "html { color: rgb(1, 2, 3) }");
    const { page } = await pages.open(`${server.url}/feed/-/inspector`);
    const ran = await page.evaluate(
      async ([script, style]) => {
        const loads = (element: HTMLScriptElement | HTMLLinkElement) =>
          new Promise<boolean>((done) => {
            element.onload = () => done(true);
            element.onerror = () => done(false);
            document.head.append(element);
          });
        const works = (worker: Worker) =>
          new Promise<boolean>((done) => {
            worker.onerror = () => done(false);
            worker.onmessage = () => done(true);
          });
        return {
          script: await loads(Object.assign(document.createElement("script"), { src: script })),
          module: await loads(Object.assign(document.createElement("script"), { src: script, type: "module" })),
          style: await loads(Object.assign(document.createElement("link"), { href: style, rel: "stylesheet" })),
          worker: await works(new Worker(script!)),
          serviceWorker: await navigator.serviceWorker.register(script!).then(
            () => true,
            () => false,
          ),
          global: "ran" in globalThis,
        };
      },
      [script, style],
    );
    expect(ran).toEqual({ script: false, module: false, style: false, worker: false, serviceWorker: false, global: false });
  });

  test("is read by a page as the data that it is", async () => {
    const html = await stored("text/html", "<b>");
    const { page, errors } = await pages.open(`${server.url}/feed/-/inspector`);
    expect(await page.evaluate(async (url) => (await fetch(url)).text(), html)).toBe("<b>");
    expect(errors).toEqual([]);
  });
});

/** A native EventSource in the page, and all that it dispatched. When its first stream ends, `meanwhile` is published before it reconnects. */
async function listen(page: Page, path: string, meanwhile: string): Promise<() => Promise<{ data: unknown[]; others: string[] }>> {
  await page.evaluate(([path, meanwhile]) => {
    const seen = { data: [] as unknown[], others: [] as string[], ends: 0 };
    const source = new EventSource(`${path}?offset=now`);
    source.onerror = () => {
      if (seen.ends++ === 0) void fetch(path!, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(meanwhile), keepalive: true });
    };
    source.onmessage = ({ data }) => seen.data.push(JSON.parse(data as string));
    for (const kind of ["gap", "close"]) source.addEventListener(kind, () => seen.others.push(kind));
    Object.assign(window, { seen });
  }, [path, meanwhile]);
  return () => page.evaluate(() => (window as unknown as { seen: { data: unknown[]; others: string[] } }).seen);
}

describeOwnServer("a browser's EventSource at `now`", () => {
  const server = useOwnServer("browser-event-source", { HEARTBEAT_MS: "200", RETRY_MS: "200", STREAM_MAX_MS: "3000" });

  test("that is cut before its first event comes back to where it was", async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const { page } = await pages.open(`${proxy.url}/feed/-/inspector`);
    for (const existed of [true, false]) {
      const path = `/feed/${freshName()}`;
      if (existed) await publish(server.url + path, "past");
      const before = proxy.bytesDown;
      const seen = await listen(page, path, "meanwhile");
      // The head, the position and a heartbeat or two.
      await eventually("the stream has begun", () => proxy.bytesDown > before + 200);
      await eventually("there was a heartbeat", heartbeat(proxy));
      expect(await seen()).toMatchObject({ data: [], others: [] });
      proxy.cut();
      await eventually("it has what came in the meantime", async () => (await seen()).data.length > 0);
      await publish(server.url + path, "live");
      await eventually("it is live", async () => (await seen()).data.length > 1);
      await expect.poll(() => seen()).toMatchObject({ data: ["meanwhile", "live"], others: [] });
    }
  });

  test("that the server renews before its first event comes back to where it was", async () => {
    const { page } = await pages.open(`${server.url}/feed/-/inspector`);
    const path = `/feed/${freshName()}`;
    await publish(server.url + path, "past");
    const seen = await listen(page, path, "between");
    await eventually("it has what came between", async () => (await seen()).data.length > 0);
    await expect.poll(() => seen()).toMatchObject({ data: ["between"], others: [], ends: 1 });
  });
});

/** Whether more arrived than at the first call. */
function heartbeat(proxy: Proxy): () => boolean {
  const before = proxy.bytesDown;
  return () => proxy.bytesDown > before;
}
