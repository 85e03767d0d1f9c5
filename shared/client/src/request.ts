// One HTTP request, with what the application adds to each.

import { errorFrom } from "./error.ts";

/** What every request takes. */
export interface RequestOptions {
  /** Called for each request; the result is sent as `Authorization: Bearer`. A failure counts as a failure of the request. */
  token?: (() => string | Promise<string>) | undefined;
  /** Headers of each request. */
  headers?: Record<string, string> | undefined;
}

/** The answer if it is a success; else throws what the server said. */
export async function request(url: URL, init: RequestInit & { headers?: Record<string, string> }, options: RequestOptions): Promise<Response> {
  const headers: Record<string, string> = { ...options.headers, ...init.headers };
  if (options.token) headers.authorization = `Bearer ${await options.token()}`;
  const answer = await fetch(url, { ...init, headers });
  if (answer.ok) return answer;
  throw await errorFrom(answer);
}

/** An address; relative ones are a browser page's. */
export function address(url: string | URL): URL {
  return new URL(url, globalThis.location?.href);
}
