// One server for all files that need nothing of their own, started before the first of them and ended after the last.

import { Server } from "./server.ts";

/** What a server has that is started for no test of its own. */
export const COMMON = { OPEN_ACCESS: "true", LONG_POLL_MS: "2000" };

/** What vitest runs before the suites, and what it runs after them. */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TIDEWIRE_BASE_URL) return undefined;
  const server = await Server.start({ name: "shared", vars: COMMON });
  // The processes of the files inherit it.
  process.env.TIDEWIRE_SHARED_URL = server.url;
  return () => server.stop();
}
