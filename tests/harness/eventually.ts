// Waiting for a condition, with what was awaited in the error.

import { setTimeout as delay } from "node:timers/promises";

/** Resolves once `condition` is true; it is checked every 10 ms. An error that it throws ends the wait. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await delay(10);
  }
}
