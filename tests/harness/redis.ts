// A `redis-server` of the machine for one test server: on a free port of the loopback, its data in a folder of its own.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { eventually } from "./eventually.ts";
import { freePort } from "./port.ts";

/** Every key and what it holds, as texts. */
const DUMP = `
local all = {}
for _, key in ipairs(redis.call("KEYS", "*")) do
  local kind = redis.call("TYPE", key).ok
  local add = function(value) all[#all + 1] = key .. " " .. string.gsub(value, "[%c]", ".") end
  if kind == "string" then add(redis.call("GET", key)) end
  if kind == "list" then for _, value in ipairs(redis.call("LRANGE", key, 0, -1)) do add(value) end end
  if kind == "zset" then for _, value in ipairs(redis.call("ZRANGE", key, 0, -1)) do add(value) end end
  if kind == "hash" then
    local values = redis.call("HGETALL", key)
    for at = 1, #values, 2 do add(values[at] .. " " .. values[at + 1]) end
  end
end
return all`;

const running = new Set<Redis>();

// The last net when a test run ends without its hooks.
process.on("exit", () => {
  for (const redis of running) redis.signal("SIGKILL");
});

export class Redis {
  readonly #folder: string;
  readonly #flags: string[];
  readonly port: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number, flags: string[]) {
    this.#folder = folder;
    this.#flags = flags;
    this.port = port;
  }

  /** Each flag as `redis-server` takes it, such as `--appendfsync`, `always`. */
  static async start(folder: string, ...flags: string[]): Promise<Redis> {
    mkdirSync(folder, { recursive: true });
    const redis = new Redis(folder, await freePort(), flags);
    await redis.restart();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it again with the same data, after `kill9`. */
  async restart(): Promise<void> {
    const place = ["--bind", "127.0.0.1", "--port", String(this.port), "--dir", this.#folder];
    const child = spawn("redis-server", [...place, "--save", "", "--appendonly", "yes", ...this.#flags], { detached: true, stdio: ["ignore", "pipe", "inherit"] });
    child.on("error", () => {
      throw new Error("redis-server is missing: install it, for example `apt-get install redis-server`");
    });
    this.#child = child;
    running.add(this);
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await eventually("Redis is ready", () => {
      if (child.exitCode !== null) throw new Error(`redis-server did not start:\n${said}`);
      return said.includes("Ready to accept connections");
    });
  }

  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** What a command prints. */
  ask(...command: string[]): string {
    return execFileSync("redis-cli", ["-p", String(this.port), ...command], { encoding: "utf8", maxBuffer: 1 << 28 });
  }

  /** Every element of every key that matches, with its key in front. */
  rows(pattern: RegExp): string[] {
    return this.ask("EVAL", DUMP, "0")
      .split("\n")
      .filter((row) => row !== "" && pattern.test(row));
  }

  signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid !== undefined) process.kill(-pid, signal);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    if (child.exitCode === null && child.signalCode === null) {
      this.signal(signal);
      await once(child, "exit");
    }
    this.#child = undefined;
    running.delete(this);
  }
}
