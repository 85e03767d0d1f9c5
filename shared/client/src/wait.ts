// Waits that can end early.

/** Longest time of a timer, some 25 days: a timer with a longer time fires at once. */
const MAX_MS = 2 ** 31 - 1;

/**
 * Resolves after `ms`, or when `signal` aborts.
 *
 * With `wakes`, also when a browser is online again or shows the page again: a failed attempt may succeed now, and the
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

/** Settles like `promise`, or with the reason of `signal` if that aborts first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
