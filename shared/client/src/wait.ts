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
    signal.addEventListener("abort", done, { signal: listening.signal });
    if (wakes) onWake(done, listening.signal);
  });
}

/** Calls `then` after `ms`, or when a browser wakes after that time: a machine that sleeps stops the timers. Returns what calls it off. */
export function alarm(ms: number, then: () => void): () => void {
  const listening = new AbortController();
  const until = Date.now() + ms;
  const cancel = () => {
    clearTimeout(timer);
    listening.abort();
  };
  const ring = () => {
    cancel();
    then();
  };
  const timer = setTimeout(ring, Math.min(ms, MAX_MS));
  onWake(() => Date.now() > until && ring(), listening.signal);
  return cancel;
}

/** A browser has its network back, or shows the page again. */
function onWake(wake: () => void, signal: AbortSignal): void {
  // Not in Node.
  globalThis.addEventListener?.("online", wake, { signal });
  globalThis.document?.addEventListener("visibilitychange", () => document.visibilityState === "visible" && wake(), { signal });
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
