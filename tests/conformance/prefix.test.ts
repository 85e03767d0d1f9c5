// Every function works under any path: each passes its own test there, the one that a copy of it has, page included.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { PLATFORM } from "../harness/platform.ts";
import { OUTPUT, Server } from "../harness/server.ts";
import { describeOwnServer, useOwnServer } from "../harness/suite.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FUNCTIONS = readdirSync(join(ROOT, "functions")).filter((name) => existsSync(join(ROOT, "functions", name, "wrangler.toml")));

/** The function's own test, on a function that is served at this address. */
async function passesItsTest(name: string, url: string): Promise<void> {
  const file = join(ROOT, "functions", name, "tests", `${name}.test.mjs`);
  const child = spawn(process.execPath, ["--test", "--test-force-exit", file], { env: { ...process.env, BASE_URL: url }, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code] = (await once(child, "exit")) as [number];
  expect(code, `${name} at ${url}: ${said}`).toBe(0);
}

/** The root's application with every route below `/live`. */
function manifestBelowLive(): string {
  const manifest = readFileSync(join(ROOT, "spin.toml"), "utf8").replaceAll('route = "/', 'route = "/live/').replaceAll('source = "', `source = "${ROOT}`);
  const file = join(OUTPUT, "below-live.spin.toml");
  mkdirSync(OUTPUT, { recursive: true });
  writeFileSync(file, manifest);
  return file;
}

describeOwnServer("below a path of a site that has others", () => {
  const server = useOwnServer("prefix", PLATFORM === "workers" ? { BASE_PATH: "/live/" } : {}, PLATFORM === "spin" ? manifestBelowLive() : undefined);

  test.each(FUNCTIONS)("%s passes its own test", (name) =>
    // The path of the log is the protocol's, below whatever comes before it.
    passesItsTest(name, `${server.url}/live${name === "streams" ? "" : `/${name}`}`),
  );

  test("the gallery is there too, and nothing is beside it", async () => {
    const page = await fetch(`${server.url}/live/`);
    expect(await page.text()).toContain("<h1");
    for (const path of ["/", "/feed/", "/livefeed/"]) expect((await fetch(server.url + path)).status, path).toBe(404);
    const bare = await fetch(`${server.url}/live/feed?channel=demo-a`, { redirect: "manual" });
    expect([bare.status, new URL(bare.headers.get("location")!, bare.url).pathname]).toEqual([308, "/live/feed/"]);
  });
});

describeOwnServer("alone, at `/`", () => {
  // On Workers this is a build of its own for each: the suite `copy` makes them and runs the same tests.
  test("each function passes its own test", { tags: ["routes"], timeout: 180_000 }, async () => {
    for (const name of FUNCTIONS) {
      const server = await Server.start({ name: `alone-${name}`, vars: { OPEN_ACCESS: "true" }, manifest: join(ROOT, "functions", name, "spin.toml") });
      try {
        await passesItsTest(name, server.url);
      } finally {
        await server.stop();
      }
    }
  });
});
