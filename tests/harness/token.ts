// With TIDEWIRE_TOKEN every request of the suites carries the token, from every client: a proxy in front of TIDEWIRE_BASE_URL adds it.

import { startHttpProxy } from "./http-proxy.ts";

/** Vitest runs this before the suites, and the returned function after them. */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  const { TIDEWIRE_BASE_URL: target, TIDEWIRE_TOKEN: token } = process.env;
  // Not for the processes that suites start.
  delete process.env.TIDEWIRE_TOKEN;
  if (!target || !token) return undefined;
  // A test that brings a token of its own keeps it.
  const isAuthorized = (headers: string[]) => headers.some((text, index) => index % 2 === 0 && text.toLowerCase() === "authorization");
  const proxy = await startHttpProxy(target, (headers) => (isAuthorized(headers) ? headers : [...headers, "authorization", `Bearer ${token}`]));
  process.env.TIDEWIRE_BASE_URL = proxy.url;
  return () => proxy.stop();
}
