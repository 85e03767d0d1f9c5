// One HTTP request, with the application's credential and headers.

import { asError, errorFrom, TidewireError } from "./error.ts";
import { unlessAborted } from "./wait.ts";
import { ANSWER_MS, patient, within } from "./watchdog.ts";

/** Returns a token or a ticket; a new one if the last was refused or has expired. An empty one is not sent: a cookie carries it. */
export type Credential = (wasRefused: boolean) => string | Promise<string>;

/** Options of every request. */
export interface RequestOptions {
  /**
   * Called for each request; the result is sent as `Authorization: Bearer`. A failure counts as a failure of the request, and so does
   * a call that takes longer than its request may: 10 s, 30 s for a publish.
   *
   * After a 401 it is called once more, with `true`: the last token was refused; return a new one.
   */
  token?: Credential | undefined;
  /** Like `token`, for the server's own short-lived tickets: a WebSocket, which cannot send headers, carries the ticket in its address. */
  ticket?: Credential | undefined;
  /** Headers of each request. */
  headers?: Record<string, string> | undefined;
}

/**
 * One request of the application's own to a function, with its credential, such as a page of the members. The answer is a success, or a 304 to
 * a condition, and has come whole.
 *
 * `limitMs` is for the answer to begin (10,000); then each piece of it has 10 s.
 *
 * @throws TidewireError for what the server refuses, or when there is no answer; the signal's reason when it aborts; TypeError when the
 * address does not belong to a function.
 */
export async function request(url: string | URL, init: AppRequest = {}, options: RequestOptions = {}): Promise<Response> {
  const { limitMs = ANSWER_MS, signal = new AbortController().signal, ...rest } = init;
  const target = address(url);
  try {
    return await within(limitMs, signal, async (inner, heard) => {
      const answer = patient(await exchange(target, { ...rest, signal: inner }, options), heard);
      const body = await answer.blob();
      // A 204 and a 304 may lack a content type.
      return new Response(body.size ? body : null, answer);
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw asError(cause);
  }
}

/** The parts of a {@link request}. */
export interface AppRequest extends RequestInit {
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Time for the answer to begin, in milliseconds. */
  limitMs?: number;
}

/** Returns a successful answer or a 304; otherwise throws the server's error. */
export async function exchange(url: URL, init: RequestInit & { headers?: Record<string, string>; signal: AbortSignal }, options: RequestOptions): Promise<Response> {
  const token = options.token ?? options.ticket;
  const send = async (wasRefused: boolean) => {
    const headers: Record<string, string> = { ...options.headers, ...init.headers };
    const credential = token && (await ask(token, wasRefused, init.signal));
    if (credential) headers.authorization = `Bearer ${credential}`;
    return fetch(url, { ...init, headers });
  };
  let answer = await send(false);
  if (answer.status === 401 && token) {
    answer.body?.cancel().catch(() => {});
    answer = await send(true);
  }
  if (answer.ok || answer.status === 304) return answer;
  throw await errorFrom(answer);
}

/** The result of the application's hook, unless `signal` aborts first. */
export async function ask(hook: Credential, wasRefused: boolean, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  try {
    return await unlessAborted(Promise.resolve(hook(wasRefused)), signal);
  } catch (cause) {
    if (cause !== signal.reason || !(cause instanceof TidewireError)) throw cause;
    throw new TidewireError("timeout", 0, "`token` or `ticket` gave nothing in time", { cause });
  }
}

/**
 * The address of a channel; a relative one is resolved against the browser's page.
 *
 * @throws TypeError if some transport could not use the address.
 */
export function address(url: string | URL): URL {
  const target = new URL(url, globalThis.location?.href);
  if (/^https?:\/\/[^/@]+\/[^#]*$/.test(target.href)) return target;
  // Without the address: the error may appear in a log.
  throw new TypeError("an address is http: or https:, for a WebSocket too, without user, password and #fragment");
}
