// Publishing over HTTP.

import { Backoff, type BackoffOptions } from "./backoff.ts";
import { bytesOf, encode } from "./content.ts";
import { asError, TidewireError } from "./error.ts";
import { address, exchange, type RequestOptions } from "./request.ts";
import { unlessAborted, wait } from "./wait.ts";
import { within } from "./watchdog.ts";

/** Time for an answer, in milliseconds. */
const ANSWER_MS = 30_000;

const OFFSET = "stream-next-offset";

/** Most channels for which {@link publish} keeps a publisher. */
const MAX_KEPT = 100;

/** Options of a publish. */
export interface PublishOptions extends RequestOptions {
  /** Media type of the channel. By default `application/json`, or `application/octet-stream` for bytes. */
  contentType?: string;
  /** Most attempts (6). */
  attempts?: number;
  /** Waits between attempts. */
  backoff?: BackoffOptions;
  /** Whether the request continues when the page is closed (`false`). A browser allows at most 64 KiB of such requests at a time. */
  keepalive?: boolean;
  /** Aborts the publish. */
  signal?: AbortSignal;
}

/** Publishes to one channel: one after the other, in the order of the calls. Like {@link publish}; `signal` aborts this publish. */
export type Publisher = (data: unknown, signal?: AbortSignal) => Promise<string>;

/** Numbers its events, so that the server recognises a repetition: an idempotent producer of Durable Streams. */
class Producer {
  readonly #url: URL;
  // `randomUUID` is missing on pages without TLS.
  readonly #id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");
  #epoch = 0;
  #seq = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(url: URL) {
    this.#url = url;
  }

  async publish(data: unknown, options: PublishOptions): Promise<string> {
    const bytes = bytesOf(data);
    const contentType = options.contentType ?? (bytes ? "application/octet-stream" : "application/json");
    // At once: the application may change the data later.
    const body = bytes ?? encode(data, contentType);
    const { signal = new AbortController().signal } = options;
    const published = this.#last.then(() => this.#send(contentType, body, options, signal));
    this.#last = published.catch(() => {});
    // Also while it waits for its turn.
    return unlessAborted(published, signal);
  }

  async #send(contentType: string, body: BodyInit, options: PublishOptions, signal: AbortSignal): Promise<string> {
    const { attempts = 6, keepalive = false } = options;
    const backoff = new Backoff(options.backoff);
    for (let attempt = 1; ; attempt += 1) {
      try {
        signal.throwIfAborted();
        const headers = { "content-type": contentType, "producer-id": this.#id, "producer-epoch": `${this.#epoch}`, "producer-seq": `${this.#seq}` };
        const offset = await within(ANSWER_MS, signal, async (signal) => {
          let answer = await exchange(this.#url, { method: "POST", headers, body, signal, keepalive }, options);
          // Durable Streams returns no offset for a repetition.
          if (answer.headers.has("producer-seq") && !answer.headers.has(OFFSET)) answer = await exchange(this.#url, { method: "HEAD", signal }, options);
          return answer.headers.get(OFFSET);
        });
        if (offset === null) throw new TidewireError("connection-lost", 0, "the answer is not a channel's: it names no offset", { retryable: false });
        this.#seq += 1;
        return offset;
      } catch (cause) {
        const error = asError(cause);
        if (error.code === "producer-gap" && this.#seq > 0) {
          // The channel was created again, or has forgotten this producer.
          this.#restart();
          continue;
        }
        if (signal.aborted || !error.retryable || attempt >= attempts) {
          // It may have arrived: the server would take the next publish under its number for a repetition.
          this.#restart();
          signal.throwIfAborted();
          throw error;
        }
        await wait(backoff.next(0, error.retryAfterMs), signal, error.retryAfterMs === undefined);
      }
    }
  }

  /** Numbers from 0 again. The server then refuses earlier publishes that are still on their way. */
  #restart(): void {
    this.#epoch += 1;
    this.#seq = 0;
  }
}

const producers = new Map<string, Producer>();

/**
 * Appends `data` to a channel and returns an offset at or after its last event. When it returns, the server has stored it.
 *
 * JSON by default; an array is a batch of events, so an event that is itself an array must be in another array. On a channel of another
 * `contentType` the data is a string or bytes: a `Blob`, an `ArrayBuffer` or a view of it.
 *
 * Retries if the network or the server fails; the server stores the data once. Publishes to one address run one after the
 * other, in the order of the calls; {@link publisher} has its own order.
 *
 * @throws TidewireError if the server refuses, or if the last attempt failed: the data may then be stored or not; the signal's reason
 * if it aborts; TypeError if the address is not that of a channel, or JSON has no form for the data.
 */
export async function publish(url: string | URL, data: unknown, options: PublishOptions = {}): Promise<string> {
  const target = address(url);
  let producer = producers.get(target.href);
  if (!producer) {
    // The publisher that was kept longest is dropped: it completes its publishes.
    if (producers.size >= MAX_KEPT) producers.delete(producers.keys().next().value!);
    producers.set(target.href, (producer = new Producer(target)));
  }
  return producer.publish(data, options);
}

/**
 * Returns a separate publisher for a channel.
 *
 * ```ts
 * const send = publisher("https://example.com/feed/demo-machine");
 * await Promise.all([send(1), send(2)]);
 * ```
 *
 * @throws TypeError if the address is not that of a channel.
 */
export function publisher(url: string | URL, options: PublishOptions = {}): Publisher {
  const producer = new Producer(address(url));
  return (data, signal = options.signal) => producer.publish(data, signal ? { ...options, signal } : options);
}
