// A wait that ends early when there is reason to.

/**
 * Resolves after `ms`, or when `signal` aborts.
 *
 * With `wakes`, also when a browser gets its network back or shows the page again: what failed before may well succeed now, and the
 * timers of hidden pages are slow.
 */
export function wait(ms: number, signal: AbortSignal, wakes = false): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const listening = new AbortController();
    const done = () => {
      clearTimeout(timer);
      listening.abort();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const once = { signal: listening.signal };
    signal.addEventListener("abort", done, once);
    if (!wakes || !globalThis.document) return;
    globalThis.addEventListener("online", done, once);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && done(), once);
  });
}
