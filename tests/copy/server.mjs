// Runs the tests of this folder on a server: `npm test`.
//
//   node tests/server.mjs wrangler dev       starts that on a free port, with a state of its own, and ends it afterwards
//   BASE_URL=http://… npm test               starts nothing

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

// The arguments that give each program its port and its store.
const OPTIONS = {
  wrangler: (port, state) => ["--ip", "127.0.0.1", "--port", port, "--inspector-port", "0", "--persist-to", state],
  spin: (port, state) => ["--listen", `127.0.0.1:${port}`, "--state-dir", state],
};
// A first build takes minutes.
const START_MS = 15 * 60_000;

const [program, ...args] = process.argv.slice(2);
let server;
let state;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => stop().finally(() => process.exit(1)));
}

try {
  process.env.BASE_URL ||= await start();
  const tests = spawn(process.execPath, ["--test", "--test-force-exit", "--test-reporter=spec", "tests/*.test.mjs"], { stdio: "inherit" });
  const [code] = await once(tests, "exit");
  process.exitCode = code ?? 1;
} finally {
  await stop();
}

/** Starts the server and returns its address once it answers. */
async function start() {
  const port = String(await freePort());
  state = mkdtempSync(join(tmpdir(), "state-"));
  // A group of its own: wrangler and spin start programs that would outlive them.
  server = spawn(program, [...args, ...OPTIONS[program](port, state)], { stdio: ["ignore", "inherit", "inherit"], detached: true });
  let failure;
  server.on("error", (error) => (failure = error));
  server.on("exit", (code, signal) => (failure = new Error(`${program} ended by itself (${signal ?? code})`)));

  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_MS;
  while (!(await answers(url))) {
    if (failure) throw failure;
    if (Date.now() > deadline) throw new Error(`${program} does not answer on ${url}`);
    await delay(200);
  }
  return url;
}

/** Ends the server with all that it started, and removes what it stored. */
async function stop() {
  if (signalGroup("SIGTERM")) await Promise.race([once(server, "exit"), delay(5_000, undefined, { ref: false })]);
  signalGroup("SIGKILL");
  if (state) rmSync(state, { recursive: true, force: true, maxRetries: 5 });
}

/** Whether the server still ran. */
function signalGroup(signal) {
  if (!server?.pid) return false;
  try {
    process.kill(-server.pid, signal);
  } catch {
    return false;
  }
  return server.exitCode === null && server.signalCode === null;
}

async function answers(url) {
  try {
    await (await fetch(url, { signal: AbortSignal.timeout(10_000) })).body?.cancel();
    return true;
  } catch {
    return false;
  }
}

async function freePort() {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}
