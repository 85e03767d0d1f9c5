// One HTTP request, with what the application adds to each.

import { errorFrom } from "./error.ts";

/** Gives a token or a ticket; a fresh one where the last was refused or has run out. */
export type Credential = (wasRefused: boolean) => string | Promise<string>;

/** What every request takes. */
export interface RequestOptions {
  /**
   * Called for each request; the result is sent as `Authorization: Bearer`. A failure counts as a failure of the request.
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
export async function request(url: URL, init: RequestInit & { headers?: Record<string, string> }, options: RequestOptions): Promise<Response> {
  const token = options.token ?? options.ticket;
  const send = async (wasRefused: boolean) => {
    const headers: Record<string, string> = { ...options.headers, ...init.headers };
    if (token) headers.authorization = `Bearer ${await token(wasRefused)}`;
    return fetch(url, { ...init, headers });
  };
  let answer = await send(false);
  if (answer.status === 401 && token) {
    await answer.body?.cancel();
    answer = await send(true);
  }
  if (answer.ok) return answer;
  throw await errorFrom(answer);
}

/** An address; relative ones are a browser page's. */
export function address(url: string | URL): URL {
  return new URL(url, globalThis.location?.href);
}
