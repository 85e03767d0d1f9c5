// Publishing over HTTP.

import { Backoff, type BackoffOptions } from "./backoff.ts";
import { asError, TidewireError } from "./error.ts";
import { address, request, type RequestOptions } from "./request.ts";
import { wait } from "./wait.ts";
import { Watchdog } from "./watchdog.ts";

/** Time for an answer, in milliseconds. */
const ANSWER_MS = 30_000;

/** Choices of a publish. */
export interface PublishOptions extends RequestOptions {
  /** Media type of the channel. By default `application/json`, or `application/octet-stream` for a `Uint8Array`. */
  contentType?: string;
  /** How often to send at most (6). 1: never again, so that nothing can be doubled. */
  attempts?: number;
  /** Waits between attempts. */
  backoff?: BackoffOptions;
  /** Gives up. */
  signal?: AbortSignal;
}

/**
 * Appends `data` to a channel and returns the offset of its last event. When it returns, the server has stored it.
 *
 * JSON by default; an array is a batch of events, so an event that is an array itself stands in another one. On a channel of another
 * `contentType` the data is a string or a `Uint8Array`.
 *
 * Sends again when the network fails or the server has a fault. If only the answer was lost, the events are then stored twice: HTTP
 * has nothing yet by which a server could tell (a publish over WebSocket has an `id`, which this function does not use). Where that matters put an id of your own into the data, or set `attempts` to 1.
 *
 * @throws TidewireError when the server refuses, or when the last attempt failed; the signal's reason when it aborts.
 */
export async function publish(url: string | URL, data: unknown, options: PublishOptions = {}): Promise<string> {
  const { attempts = 6, signal } = options;
  const target = address(url);
  const isBytes = data instanceof Uint8Array;
  const contentType = options.contentType ?? (isBytes ? "application/octet-stream" : "application/json");
  const isJson = /^application\/json\b/i.test(contentType);
  const body = isJson && !isBytes ? JSON.stringify(data) : (data as BodyInit);
  const headers = { "content-type": contentType };
  const backoff = new Backoff(options.backoff);
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    const watchdog = new Watchdog(signal);
    watchdog.within(ANSWER_MS);
    try {
      const answer = await request(target, { method: "POST", headers, body, signal: watchdog.signal }, options);
      const offset = answer.headers.get("stream-next-offset");
      // Not sent again: a channel that hides its headers would store it once more each time.
      if (offset === null) throw new TidewireError("connection-lost", 0, "the answer is not a channel's: it names no offset", { retryable: false });
      return offset;
    } catch (cause) {
      signal?.throwIfAborted();
      const error = asError(cause);
      if (!error.retryable || attempt >= attempts) throw error;
      await wait(backoff.next(0, error.retryAfterMs), signal ?? new AbortController().signal, error.retryAfterMs === undefined);
    } finally {
      watchdog.stop();
    }
  }
}
