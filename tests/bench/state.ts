// Folders for the stores of servers: in memory where that is possible, so that no disk is measured.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MEMORY = "/dev/shm";

export const isInMemory = existsSync(MEMORY);

let all: string | undefined;

/** The folder of all stores. */
export function stores(): string {
  all ??= mkdtempSync(join(isInMemory ? MEMORY : tmpdir(), "tidewire-bench-"));
  return all;
}

/** Removes it, after the servers have ended. */
export function removeStores(): void {
  if (all) rmSync(all, { recursive: true, force: true, maxRetries: 5 });
}

/** A folder in it. */
export function freshFolder(name: string): string {
  return mkdtempSync(join(stores(), `${name}-`));
}
