// @ts-check
// A job that says how far it is. Needs nothing but `fetch`: the same file serves a page and a Node backend. A page gives the client's `request` to
// send with, which shows its ticket.

/** @typedef {import("./progress.d.ts").JobState} JobState */

const INTERVAL_MS = 250; // the server takes four a second
const TIMEOUT_MS = 10_000; // of one request
const MAX_WAIT_MS = 10_000; // between attempts to say how it ended

/** The server did not take what was sent. `retryable` says whether it may take it later. */
export class SendError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
    this.detail = detail;
    this.retryable = status === 408 || status === 429 || status >= 500;
  }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Job {
  #url;
  #headers;
  #request;
  /** @type {JobState} */
  #state;
  #isNew = false;
  #isOver = false;
  #publishing;
  #started;

  /**
   * @param {string | URL} url the channel, which nobody used before
   * @param {{label: string, max?: number, unit?: string, headers?: Record<string, string>,
   *   send?: (url: string | URL, init: {method: string, headers: Record<string, string>, body: string}) => Promise<unknown>}} job
   *   `headers` carry a credential; `send` throws what has the members of a {@link SendError}
   */
  constructor(url, { label, max, unit = "", headers = {}, send = sendByFetch }) {
    this.#url = url;
    this.#headers = headers;
    this.#request = send;
    this.#state = { type: "progress", label, value: 0, max, unit, at: Date.now() };
  }

  /** Makes the channel. */
  start() {
    return (this.#started = this.#send("PUT"));
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
    // An end that overtook the beginning would end the channel, and the beginning would be refused.
    await this.#started?.catch((error) => {
      if (error.retryable === false) throw error;
    });
    await this.#publishing;
    Object.assign(this.#state, last);
    for (let waitMs = INTERVAL_MS; ; waitMs = Math.min(MAX_WAIT_MS, 2 * waitMs)) {
      try {
        return await this.#send("POST", { "Stream-Closed": "true" });
      } catch (error) {
        if (error.retryable === false) throw error;
        await sleep(waitMs * Math.random());
      }
    }
  }

  async #send(method, extra = {}) {
    this.#state.at = Date.now();
    const headers = { "content-type": "application/json", ...this.#headers, ...extra };
    try {
      await this.#request(this.#url, { method, headers, body: JSON.stringify(this.#state) });
    } catch (error) {
      // Finished already: by an attempt whose answer was lost, or by another.
      if (!(method === "POST" && error.status === 409)) throw error;
    }
  }
}

async function sendByFetch(url, init) {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await response.text();
  if (!response.ok) throw new SendError(response.status, detail(text) ?? `The server answered ${response.status}.`);
}

/** What a problem says, for people. */
function detail(text) {
  try {
    const { title, detail } = JSON.parse(text);
    return detail ?? title;
  } catch {
    return undefined; // a proxy's own page
  }
}
