// A server that is one program: started on the core of the servers, and ended with what it stored.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { onServerCore } from "./processor.ts";
import type { Served } from "./served.ts";

const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Starts it with a folder of its own. Resolves when it answers, or when what `until` begins at the start has come true. */
export async function startProgram(command: string[], port: number, folder: string, until: (port: number) => Promise<unknown> = answers): Promise<Served> {
  const errors = join(folder, "errors.log");
  const [program, ...args] = [...onServerCore, ...command];
  // In the process group of this process, which the harness ends as a whole.
  const child = spawn(program!, args, { stdio: ["ignore", "ignore", openSync(errors, "w")] });
  running.add(child);
  const gone = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await gone;
    running.delete(child);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const ended = gone.then(() => Promise.reject(new Error(`the server has ended: ${readFileSync(errors, "utf8")}`)));
    await Promise.race([until(port), ended]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pids: [child.pid!], stop };
}

/** Without a body, which for some server is a stream that never ends. */
async function answers(port: number): Promise<void> {
  await eventually("the server answers", () => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.body?.cancel().then(() => true) ?? true, () => false));
}
