// `cargo harness test --base-url URL --token T` against a server that refuses requests without the token.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { startHttpProxy } from "../harness/http-proxy.ts";
import { PLATFORM } from "../harness/platform.ts";
import { read, TRANSPORTS } from "../harness/readers.ts";
import { HARNESS } from "../harness/server.ts";
import { describeOwnServer, freshName, publish, useOwnServer } from "../harness/suite.ts";
import setupToken from "../harness/token.ts";

const TOKEN = "a-token-that-nobody-guesses";

/** A server in front of `target` that refuses requests without the token. */
async function startGuard(target: string, onRequest = () => {}): Promise<string> {
  const guard = await startHttpProxy(target, (headers) => {
    onRequest();
    return headers.includes(`Bearer ${TOKEN}`) ? headers : undefined;
  });
  onTestFinished(() => guard.stop());
  return guard.url;
}

describeOwnServer("a server that demands a token", () => {
  const server = useOwnServer("token");

  test("refuses a client without the token, and answers every transport of a client behind the proxy that adds it", async () => {
    const guarded = await startGuard(server.url);
    expect((await fetch(`${guarded}/feed/${freshName()}`)).status).toBe(401);

    const environment = { TIDEWIRE_BASE_URL: guarded, TIDEWIRE_TOKEN: TOKEN };
    Object.assign(process.env, environment);
    const stop = await setupToken();
    const open = process.env.TIDEWIRE_BASE_URL!;
    for (const name of Object.keys(environment)) delete process.env[name];
    onTestFinished(() => stop!());

    const channel = `${open}/feed/${freshName()}`;
    await publish(channel, 1);
    for (const transport of TRANSPORTS) {
      const reader = read(transport, channel, "-1");
      onTestFinished(() => reader.close());
      await eventually(`the event arrives by ${transport}`, () => reader.events.length === 1);
    }
    const created = await fetch(`${open}/v1/stream/${freshName()}`, { method: "PUT" });
    expect(created.headers.get("location")!.startsWith(open)).toBe(true);
  });

  test("passes a whole suite, and the token is neither printed nor seen among the processes", { timeout: 240_000 }, async () => {
    let processes = "";
    const guarded = await startGuard(server.url, () => (processes ||= execFileSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8" })));
    const run = spawn(HARNESS, ["test", "--base-url", guarded, "--platform", PLATFORM, "--suite", "conformance/http"], {
      env: { ...process.env, TIDEWIRE_TOKEN: TOKEN },
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => void run.kill());
    let output = "";
    for (const stream of [run.stdout, run.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const [status] = (await once(run, "close")) as [number];
    expect(status, output).toBe(0);
    expect(output).toMatch(/^conformance\/http /m);
    expect(output).toMatch(/\d\d passed, 0 failed$/m);
    expect(processes).toContain("vitest");
    expect(output + processes).not.toContain(TOKEN);
  });
});
