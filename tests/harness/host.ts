// The control port of tests/spin-host: what the host counts, and how a test disturbs it.

import { execFileSync } from "node:child_process";
import type { Server } from "./server.ts";

export interface Counters {
  instances_active: number;
  instances_started: number;
  /** Requests that reached a component, and those of them whose answer has not ended. */
  requests: number;
  open_requests: number;
  sqlite: { open: number; execute_read: number; execute_write: number; execute_other: number };
  redis: { open: number; commands: number };
  /** Bytes of linear memory of the instance that had most. */
  memory_bytes: number;
  traps: number;
}

/** How often the instances have read their store. */
export function looks({ sqlite, redis }: Counters): number {
  return sqlite.execute_read + redis.commands;
}

export async function counters(server: Server): Promise<Counters> {
  return (await ask(server, "GET", "/counters")) as Counters;
}

/** Ends the feed's instance that has had most requests, as a panic would. */
export async function trap(server: Server): Promise<void> {
  await ask(server, "POST", "/trap?component=feed");
}

/** No living instance gets another request; their streams continue. */
export async function recycle(server: Server): Promise<void> {
  await ask(server, "POST", "/recycle");
}

/** Moves the wall clock that components see this far from the real one. */
export async function shiftClock(server: Server, milliseconds: number): Promise<void> {
  await ask(server, "POST", `/clock?shift_ms=${milliseconds}`);
}

/** Memory that the runtime's processes have in RAM, in bytes. */
export function residentBytes(server: Server): number {
  return sumOfGroup(server, "rss") * 1024;
}

/** Time that the runtime's processes have computed, in whole seconds. */
export function computedSeconds(server: Server): number {
  return sumOfGroup(server, "cputimes");
}

function sumOfGroup(server: Server, column: "rss" | "cputimes"): number {
  const lines = execFileSync("ps", ["-A", "-o", `pgid=,${column}=`], { encoding: "utf8" }).trim().split("\n");
  const values = lines.map((line) => line.trim().split(/\s+/).map(Number)).filter(([group]) => group === server.pid);
  return values.reduce((sum, [, value]) => sum + value!, 0);
}

async function ask(server: Server, method: string, path: string): Promise<unknown> {
  const answer = await fetch(`${server.control}${path}`, { method });
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
