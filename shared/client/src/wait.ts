// Waits that end early when there is reason to.

/** The longest that a timer takes, some 25 days: one that is given more fires at once. */
const MAX_MS = 2 ** 31 - 1;

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
    const timer = setTimeout(done, Math.min(ms, MAX_MS));
    const once = { signal: listening.signal };
    signal.addEventListener("abort", done, once);
    if (!wakes || !globalThis.document) return;
    globalThis.addEventListener("online", done, once);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && done(), once);
  });
}

/** Settles as `promise` does, or with the reason of `signal` when that aborts before. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
