// One server for all files that need nothing of their own, started before the first of them and ended after the last.

import { Server } from "./server.ts";

/** A server that all tests share. */
export const COMMON = { OPEN_ACCESS: "true", LONG_POLL_MS: "2000" };

/** Vitest runs this before the suites, and the returned function after them. */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TIDEWIRE_BASE_URL) return undefined;
  const server = await Server.start({ name: "shared", vars: COMMON });
  // The processes of the files inherit it.
  process.env.TIDEWIRE_SHARED_URL = server.url;
  return () => server.stop();
}
