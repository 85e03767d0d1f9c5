// @ts-check
// A job that says how far it is. Needs nothing but `fetch`: the same file serves a page and a Node backend.

/** @typedef {import("./progress.d.ts").JobState} JobState */

const INTERVAL_MS = 250; // the server takes four a second
const TIMEOUT_MS = 10_000; // of one request
const MAX_WAIT_MS = 10_000; // between attempts to say how it ended

/** The server said no: asking again is of no use. */
export class Refused extends Error {}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Job {
  #url;
  #headers;
  /** @type {JobState} */
  #state;
  #isNew = false;
  #isOver = false;
  #publishing;

  /**
   * @param {string | URL} url the channel, which nobody used before
   * @param {{label: string, max?: number, unit?: string, headers?: Record<string, string>}} job `headers` carry a credential
   */
  constructor(url, { label, max, unit = "", headers = {} }) {
    this.#url = url;
    this.#headers = headers;
    this.#state = { type: "progress", label, value: 0, max, unit, at: Date.now() };
  }

  /** Makes the channel. */
  start() {
    return this.#send("PUT");
  }

  /** How far it is. Returns at once; of all that is said within a quarter of a second the newest is published. */
  report(value) {
    if (this.#isOver) return;
    this.#state.value = value;
    this.#isNew = true;
    this.#publishing ??= this.#publish();
  }

  /** It is done: the last event, and the end of the channel. */
  done() {
    return this.#end({ type: "done" });
  }

  /** It failed; `reason` is for programs, `detail` for people. `value` is how far it came, where that is known better than by what was reported. */
  fail(reason, detail, value = this.#state.value) {
    return this.#end({ type: "failed", reason, detail, value });
  }

  async #publish() {
    while (this.#isNew && !this.#isOver) {
      this.#isNew = false;
      // A state that did not get through is made up for by the next.
      await Promise.all([this.#send("POST").catch(() => {}), sleep(INTERVAL_MS)]);
    }
    this.#publishing = undefined;
  }

  /** Tried until it is stored: nobody else can tell. */
  async #end(last) {
    this.#isOver = true;
    await this.#publishing;
    Object.assign(this.#state, last);
    for (let waitMs = INTERVAL_MS; ; waitMs = Math.min(MAX_WAIT_MS, 2 * waitMs)) {
      try {
        return await this.#send("POST", { "Stream-Closed": "true" });
      } catch (error) {
        if (error instanceof Refused) throw error;
        await sleep(waitMs * Math.random());
      }
    }
  }

  async #send(method, headers = {}) {
    this.#state.at = Date.now();
    const response = await fetch(this.#url, {
      method,
      headers: { "Content-Type": "application/json", ...this.#headers, ...headers },
      body: JSON.stringify(this.#state),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    // Finished already: by an attempt whose answer was lost, or by another.
    if (response.ok || (method === "POST" && response.status === 409)) return;
    if (response.status === 408 || response.status === 429 || response.status >= 500) throw new Error(`status ${response.status}`);
    throw new Refused(detail(text) ?? `The server answered ${response.status}.`);
  }
}

/** What a problem says, for people. */
export function detail(text) {
  try {
    const { title, detail } = JSON.parse(text);
    return detail ?? title;
  } catch {
    return undefined; // a proxy's own page
  }
}
