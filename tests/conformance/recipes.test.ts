// The recipes of functions/README.md, run as they stand there.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { describe, expect, onTestFinished, test } from "vitest";
import { BUILD } from "../harness/server.ts";
import { freshName, useServer } from "../harness/suite.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PAGE = readFileSync(join(ROOT, "functions/README.md"), "utf8");

/** The blocks of code under this heading, of this language. */
function recipes(heading: string, language: string): string[] {
  const section = PAGE.split(/^## /m).find((section) => section.startsWith(`${heading}\n`))!;
  return [...section.matchAll(/```(\w+)\n([^]*?)```/g)].filter(([, found]) => found === language).map(([, , code]) => code!);
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "tidewire-recipe-"));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

test("no recipe has more than ten lines", () => {
  const blocks = [...PAGE.matchAll(/```\w+\n([^]*?)```/g)].map(([, code]) => code!.trimEnd().split("\n"));
  expect(blocks.length).toBeGreaterThan(10);
  expect(blocks.filter((lines) => lines.length > 10)).toEqual([]);
});

describe("publish from a backend", () => {
  const server = useServer();
  const HEADING = "Publish from a backend";

  test("by curl", async () => {
    const name = freshName();
    const [command] = recipes(HEADING, "sh");
    await run("sh", ["-c", command!.replace("https://live.example.com", server.url).replace("orders ", `${name} `)], { env: { ...process.env, TICKET: "none" } });
    expect(await (await fetch(`${server.url}/feed/${name}`)).json()).toEqual([{ at: expect.any(Number), values: { orders: 1 } }]);
  });

  test("by fetch", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const [code] = recipes(HEADING, "js");
    const { publish } = (await import(`data:text/javascript,${encodeURIComponent(code!)}`)) as { publish: (...args: unknown[]) => Promise<string> };
    const offset = await publish(channel, { values: { orders: 1 } }, "none");
    const page = await fetch(channel);
    expect(await page.json()).toEqual([{ values: { orders: 1 } }]);
    expect(offset).toBe(page.headers.get("stream-next-offset"));
    await expect(publish(channel, "x".repeat(70_000), "none")).rejects.toThrow("413");
  });
});

describe("on Workers", { tags: ["durable-objects"] }, () => {
  test("a Worker publishes through a service binding, and readers and WebSockets pass through it", async () => {
    const HEADING = "Behind a Worker of your own";
    const [script] = recipes(HEADING, "ts");
    const [services] = recipes(HEADING, "toml");
    const [, binding, service] = /binding = "(\w+)"\nservice = "(\w+)"/.exec(services!)!;
    const miniflare = new Miniflare(
      convertV4MiniflareOptions({
        cf: false,
        workers: [
          { name: "yours", modules: true, script: (await transform(script!, { loader: "ts" })).code, compatibilityDate: "2026-11-01", serviceBindings: { [binding!]: service! } },
          {
            name: service!,
            modules: [
              { type: "ESModule", path: join(BUILD, "index.js"), contents: readFileSync(join(BUILD, "index.js"), "utf8") },
              { type: "CompiledWasm", path: join(BUILD, "index_bg.wasm"), contents: readFileSync(join(BUILD, "index_bg.wasm")) },
            ],
            modulesRoot: BUILD,
            compatibilityDate: "2026-11-01",
            compatibilityFlags: ["enable_request_signal"],
            bindings: { OPEN_ACCESS: "true" },
            durableObjects: { FEED_CHANNEL: { className: "FeedChannel", useSQLite: true } },
          },
        ],
      }),
    );
    onTestFinished(() => miniflare.dispose());
    const { origin } = await miniflare.ready;
    expect((await fetch(`${origin}/buy`)).status).toBe(204);
    expect(await (await fetch(`${origin}/feed/orders`)).json()).toEqual([{ at: expect.any(Number), values: { orders: 1 } }]);
    const socket = new WebSocket(`${origin.replace("http", "ws")}/feed/orders`);
    onTestFinished(() => socket.close());
    const { data } = await new Promise<MessageEvent<string>>((resolve, reject) => Object.assign(socket, { onmessage: resolve, onerror: reject }));
    expect(JSON.parse(data)).toMatchObject({ type: "hello" });
  });

  /** The output of `wrangler deploy --dry-run` for this manifest, without the build. */
  async function deploy(manifest: string, ...args: string[]): Promise<string> {
    const place = folder();
    writeFileSync(join(place, "index.js"), "import { DurableObject } from 'cloudflare:workers'; export class FeedChannel extends DurableObject {} export class Room extends DurableObject {} export default {};");
    writeFileSync(join(place, "wrangler.toml"), manifest.replace(/^main = .*$/m, 'main = "index.js"').replace(/^\[build\]\n[^]*?\n\n/m, ""));
    const env = { ...process.env, CI: "1", NO_COLOR: "1", FORCE_COLOR: "0", WRANGLER_HIDE_BANNER: "true", WRANGLER_SEND_METRICS: "false", WRANGLER_SEND_ERROR_REPORTS: "false", WRANGLER_LOG_PATH: place };
    const { stdout, stderr } = await run(process.execPath, [join(ROOT, "tests/node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", "out", ...args], { cwd: place, env });
    // A field that it does not know, or a binding that it misses, is a warning.
    expect(stdout + stderr).not.toMatch(/WARNING/);
    return stdout;
  }

  const FEED = readFileSync(join(ROOT, "functions/feed/wrangler.toml"), "utf8");

  test("a domain, and a path of a site, are added to a function's manifest", async () => {
    const [domain, path] = recipes("A domain of your own", "toml");
    expect(await deploy(domain + FEED)).toContain("FEED_CHANNEL");
    expect(await deploy(path + FEED)).toMatch(/BASE_PATH.*\/live\//);
  });

  test("a staging environment has bindings and settings of its own", async () => {
    const [staging] = recipes("A staging environment", "toml");
    expect(await deploy(`${FEED}\n${staging}`, "--env", "staging")).toMatch(/FEED_CHANNEL[^]*RETENTION_MAX_EVENTS/);
  });

  test("our class joins a Worker that has one, with the next migration", async () => {
    const [, joins] = recipes("In a Rust Worker of yours", "toml");
    const theirs = FEED.replace("FEED_CHANNEL", "ROOM").replaceAll("FeedChannel", "Room");
    expect(await deploy(`${theirs}\n${joins}`)).toMatch(/ROOM[^]*FEED_CHANNEL|FEED_CHANNEL[^]*ROOM/);
  });
});
