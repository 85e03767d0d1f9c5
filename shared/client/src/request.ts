// One HTTP request, with what the application adds to each.

import { errorFrom } from "./error.ts";

/** What every request takes. */
export interface RequestOptions {
  /**
   * Called for each request; the result is sent as `Authorization: Bearer`. A failure counts as a failure of the request.
   *
   * After a 401 it is called once more, with `true`: the last token was refused, give a fresh one.
   */
  token?: ((wasRefused: boolean) => string | Promise<string>) | undefined;
  /** Headers of each request. */
  headers?: Record<string, string> | undefined;
}

/** The answer if it is a success; else throws what the server said. */
export async function request(url: URL, init: RequestInit & { headers?: Record<string, string> }, options: RequestOptions): Promise<Response> {
  const { token } = options;
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
