// One HTTP request, with what the application adds to each.

import { errorFrom, TidewireError } from "./error.ts";
import { unlessAborted } from "./wait.ts";

/** Gives a token or a ticket; a fresh one where the last was refused or has run out. */
export type Credential = (wasRefused: boolean) => string | Promise<string>;

/** What every request takes. */
export interface RequestOptions {
  /**
   * Called for each request; the result is sent as `Authorization: Bearer`. A failure counts as a failure of the request, and so does
   * one that takes longer than its request may: 10 s, of a publish 30 s.
   *
   * After a 401 it is called once more, with `true`: the last token was refused, give a fresh one.
   */
  token?: Credential | undefined;
  /** As `token`, for one of the server's own short tickets: a WebSocket, which can send no header, carries it in its address. */
  ticket?: Credential | undefined;
  /** Headers of each request. */
  headers?: Record<string, string> | undefined;
}

/** The answer if it is a success; else throws what the server said. */
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

/** What the application's hook gives before `signal` aborts. */
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
 * The address of a channel; relative ones are a browser page's.
 *
 * @throws TypeError when it is none that every transport can be asked at.
 */
export function address(url: string | URL): URL {
  const target = new URL(url, globalThis.location?.href);
  if (/^https?:\/\/[^/@]+\/[^#]*$/.test(target.href)) return target;
  // Without the address: what is thrown may end in a log.
  throw new TypeError("an address is http: or https:, for a WebSocket too, without user, password and #fragment");
}
