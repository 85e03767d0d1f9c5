// One HTTP request, with the application's credential and headers.

import { errorFrom, TidewireError } from "./error.ts";
import { unlessAborted } from "./wait.ts";

/** Returns a token or a ticket; a new one if the last was refused or has expired. */
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

/** Returns a successful answer; otherwise throws the server's error. */
export async function request(url: URL, init: RequestInit & { headers?: Record<string, string>; signal: AbortSignal }, options: RequestOptions): Promise<Response> {
  const token = options.token ?? options.ticket;
  const send = async (wasRefused: boolean) => {
    const headers: Record<string, string> = { ...options.headers, ...init.headers };
    if (token) headers.authorization = `Bearer ${await ask(token, wasRefused, init.signal)}`;
    return fetch(url, { ...init, headers });
  };
  let answer = await send(false);
  if (answer.status === 401 && token) {
    answer.body?.cancel().catch(() => {});
    answer = await send(true);
  }
  if (answer.ok) return answer;
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
