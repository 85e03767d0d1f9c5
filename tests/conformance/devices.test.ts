// A device as the README has it: sh and curl, and nothing else.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { OUTPUT } from "../harness/server.ts";
import { describeOwnServer, freshName, useOwnServer } from "../harness/suite.ts";

const README = readFileSync(new URL("../../functions/devices/README.md", import.meta.url), "utf8");
const LOOP = [...README.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block!).find((block) => block.includes("live=long-poll"))!;

async function send(channel: string, line: string): Promise<void> {
  const answer = await fetch(channel, { method: "POST", headers: { "content-type": "text/plain" }, body: line });
  expect(answer.status, await answer.text()).toBe(204);
}

/** Everything that is in a channel, one page after the other. */
async function lines(channel: string): Promise<string[]> {
  const all: string[] = [];
  for (let offset = "-1"; ; ) {
    const answer = await fetch(`${channel}?offset=${offset}`);
    const line = await answer.text();
    if (line) all.push(line);
    offset = answer.headers.get("stream-next-offset")!;
    if (answer.headers.get("stream-up-to-date")) return all;
  }
}

/** Runs the loop in a folder of its own; `stop` cuts its power. */
function start(channel: string, folder: string): { stop(): void; said(): string } {
  const child = spawn("sh", ["lamp.sh", channel], { cwd: folder, detached: true, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  const stop = () => {
    // A group, since `sh` waits for its curl. It may have been stopped before.
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  onTestFinished(stop);
  return { stop, said: () => said };
}

function folderWithLoop(): string {
  const folder = mkdtempSync(join(OUTPUT, "device-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "lamp.sh"), LOOP);
  return folder;
}

describeOwnServer("the loop of the README", () => {
  const server = useOwnServer("devices", { LONG_POLL_MS: "1000" });

  test("does each command once and in order, over a power failure and a killed server", async () => {
    const channel = `${server.url}/devices/${freshName()}`;
    const folder = folderWithLoop();
    // The first command shows that the device listens: it begins at the tail.
    const lamp = start(channel, folder);
    let probes = 0;
    await eventually("the device answers", async () => {
      await send(channel, `p${++probes} on`);
      return (await lines(`${channel}:done`)).length > 0;
    });
    // Answers are dropped after a while, as commands are, so they are gathered.
    const seen = new Set<string>();
    const answered = async (id: string) => {
      await eventually(`${id} is answered`, async () => {
        for (const line of await lines(`${channel}:done`)) seen.add(line);
        return [...seen].some((line) => line.startsWith(`${id} `));
      });
    };
    await Promise.all([send(channel, "c1 off"), send(channel, "c2 explode; rm -rf /")]);
    await answered("c1");
    await answered("c2");

    lamp.stop();
    await send(channel, "c3 on");
    const again = start(channel, folder);
    await answered("c3");
    await server.kill9();
    await server.restart();
    await send(channel, "c4 off");
    await answered("c4");
    const commands = [...seen].filter((line) => line.startsWith("c")).sort();
    expect(commands).toEqual(["c1 done", "c2 failed unknown command", "c3 done", "c4 done"]);
    expect(again.said()).toBe("the lamp is on\nthe lamp is off\n");
  });
});

describeOwnServer("a device", () => {
  const server = useOwnServer("devices-one");

  test("gets one command in one answer, and no command that is too long", async () => {
    const channel = `${server.url}/devices/${freshName()}`;
    const waiting = fetch(`${channel}?live=long-poll&offset=now`);
    await Promise.all(["a 1", "b 2", "c 3"].map((line) => send(channel, line)));
    expect(await (await waiting).text()).toMatch(/^(|[abc] [123])$/);
    expect((await lines(channel)).sort()).toEqual(["a 1", "b 2", "c 3"]);
    const long = await fetch(channel, { method: "POST", headers: { "content-type": "text/plain" }, body: "x".repeat(4097) });
    expect(long.status).toBe(413);
  });
});
