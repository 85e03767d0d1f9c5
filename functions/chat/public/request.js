// @ts-check
// One HTTP request, and the wait before the next attempt.

const ANSWER_MS = 10_000; // silence after which a request counts as lost
const BACKOFF_MS = 500; // the first wait is up to this, the next up to twice as much
const MAX_BACKOFF_MS = 10_000;

/** No answer, or none for now: the same request may work later. */
export class Unavailable extends Error {
  retryAfterMs = 0;
}

/** The server said no, with a reason for people and a code for us. */
export class Refused extends Error {
  constructor(message, code, headers) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

/** Answers the body, an object, or nothing, and the headers; throws `Unavailable` or `Refused` unless it is a success. */
export async function request(url, options) {
  let response;
  let text;
  try {
    response = await fetch(url, { ...options, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    // Read in any case: a body that nobody reads holds one of the few connections that a browser opens to a host.
    text = await response.text();
  } catch {
    throw new Unavailable("no connection");
  }
  const { status, headers } = response;
  const retryAfterMs = 1_000 * Number(headers.get("Retry-After")) || 0;
  if (status === 408 || status >= 500) throw Object.assign(new Unavailable(`status ${status}`), { retryAfterMs });
  const body = parse(text);
  if (response.ok) return { body, headers };
  throw new Refused(body.detail ?? body.title ?? `The server answered ${status}.`, body.type?.split(":").at(-1), headers);
}

/** Not every answer is JSON: most are empty, and one in between may be a proxy's own page. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Tells `wake` when the network is back or somebody looks at the page again: what failed before may work now. */
export const wakes = new EventTarget();
const wake = () => document.visibilityState === "visible" && wakes.dispatchEvent(new Event("wake"));
addEventListener("online", wake);
addEventListener("pageshow", wake);
document.addEventListener("visibilitychange", wake);

/** The wait between attempts: full jitter, so that a thousand pages do not come back in the same moment. */
export class Backoff {
  #failures = 0;
  #done;

  /** The server is there: ends a wait, and begins anew with short ones. */
  reset() {
    this.#failures = 0;
    this.#done?.();
  }

  /** A wake ends it early. */
  wait(atLeastMs = 0) {
    const ms = Math.max(atLeastMs, Math.random() * Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** this.#failures++));
    return new Promise((done) => {
      this.#done = done;
      setTimeout(done, ms);
      wakes.addEventListener("wake", done, { once: true });
    });
  }
}

/** An id that nobody else has. `crypto.randomUUID` is missing where a phone opens a laptop's page by plain HTTP. */
export const randomId = () => crypto.getRandomValues(new Uint8Array(16)).reduce((id, byte) => id + byte.toString(16).padStart(2, "0"), "");
