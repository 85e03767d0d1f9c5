// The processor: what a server has used of it, and which core is whose.

import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Time of which a server that rests takes less than a fiftieth. */
const LOOK_MS = 60;
const QUIET_LOOKS = 3;
const QUIET_LIMIT_MS = 15_000;

/** The cores that this process may use. */
function cores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read("/proc/self/status") ?? "")?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

const [SERVER_CORE, LOAD_CORE] = cores();

/** Whether servers have a core of their own. */
export const isPinned = LOAD_CORE !== undefined && spawnSync("taskset", ["--version"]).status === 0;

/** The words in front of the command of a server, which give it its core. */
export const onServerCore: string[] = isPinned ? ["taskset", "-c", String(SERVER_CORE)] : [];

/** Moves this process, which makes the load, to the other core. */
export function takeLoadCore(): void {
  if (isPinned) execFileSync("taskset", ["-a", "-c", "-p", String(LOAD_CORE), String(process.pid)], { stdio: "ignore" });
}

/** A process and all that it has started. */
export function family(pid: number): number[] {
  const parents = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    const stat = read(`/proc/${name}/stat`);
    // The name of the program, in brackets, may contain anything.
    return stat ? [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) }] : [];
  });
  const found = [pid];
  for (const ancestor of found) found.push(...parents.filter(({ parent }) => parent === ancestor).map((child) => child.pid));
  return found;
}

/** The time that processes have computed, in microseconds of the kernel's own count. */
export class Meter {
  readonly #pids: number[];
  #threads: Map<string, number>;

  constructor(pids: number[]) {
    this.#pids = pids;
    this.#threads = this.#look();
  }

  /** All the time that processes have computed since they started. */
  static whole(pids: number[]): number {
    return [...new Meter(pids).#threads.values()].reduce((sum, us) => sum + us, 0);
  }

  /** The time since it was made or read last. A thread that ended since then is not counted. */
  read(): number {
    const before = this.#threads;
    this.#threads = this.#look();
    return [...this.#threads].reduce((sum, [thread, us]) => sum + us - (before.get(thread) ?? 0), 0);
  }

  #look(): Map<string, number> {
    const threads = new Map<string, number>();
    for (const pid of this.#pids) {
      for (const thread of entries(`/proc/${pid}/task`)) {
        const stat = read(`/proc/${pid}/task/${thread}/schedstat`);
        if (stat) threads.set(thread, Number(stat.split(" ")[0]) / 1_000);
      }
    }
    if (threads.size === 0) throw new Error("the server has ended, or this kernel has no /proc/PID/task/TID/schedstat");
    return threads;
  }
}

/** Resolves when these processes rest: connections are open or closed, and what was left over is done. */
export async function quiet(pids: number[]): Promise<void> {
  const meter = new Meter(pids);
  const end = performance.now() + QUIET_LIMIT_MS;
  for (let looks = 0; looks < QUIET_LOOKS && performance.now() < end; ) {
    await delay(LOOK_MS);
    looks = meter.read() < (LOOK_MS * 1_000) / 50 ? looks + 1 : 0;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // It has ended in the meantime.
    return undefined;
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
