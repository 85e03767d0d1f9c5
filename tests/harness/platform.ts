// The platform under test, and what it lacks. A test says what it needs by tags: `test(title, { tags: ["websocket"] }, ...)`.
// vitest skips those whose tag the platform lacks, and `cargo harness test` compares them with tests/skipped.json.

/** The features that a test can need. */
export const REQUIREMENTS = {
  websocket: "takes WebSockets from outside",
  "websocket-refused": "takes no WebSocket from outside, and says so",
  "durable-objects": "holds a channel in a Durable Object, which sleeps when it is quiet",
  "host-counters": "runs in tests/spin-host, whose control port counts, recycles, traps and moves the clock",
  redis: "keeps its channels in Redis, so that hosts share them",
  sqlite: "keeps its channels in SQLite, whose files a test opens",
  bucket: "has a bucket for uploads",
  routes: "gives a function its path in the manifest, so that one build runs at any path",
} as const;

export type Requirement = keyof typeof REQUIREMENTS;
export type Platform = "workers" | "spin";
/** The program that serves the components of Spin: tests/spin-host, or the real `spin`. */
export type Runtime = "host" | "spin";

export const RUNTIME = (process.env.TIDEWIRE_RUNTIME ?? "host") as Runtime;
if (RUNTIME !== "host" && RUNTIME !== "spin") throw new Error(`TIDEWIRE_RUNTIME is ${RUNTIME}; there are host and spin`);

/** Where Spin stores the channels. */
export const STORE = (process.env.TIDEWIRE_STORE ?? "sqlite") as "sqlite" | "redis";
if (STORE !== "sqlite" && STORE !== "redis") throw new Error(`TIDEWIRE_STORE is ${STORE}; there are sqlite and redis`);

const OFFERS: Record<Platform, Requirement[]> = {
  workers: ["websocket", "durable-objects", "bucket", "sqlite"],
  spin: ["websocket-refused", "routes", STORE, ...(RUNTIME === "host" ? (["host-counters"] as const) : [])],
};

export const PLATFORM = (process.env.TIDEWIRE_PLATFORM ?? "workers") as Platform;
if (!(PLATFORM in OFFERS)) throw new Error(`TIDEWIRE_PLATFORM is ${PLATFORM}; there are workers and spin`);

export function offers(requirement: Requirement): boolean {
  return OFFERS[PLATFORM].includes(requirement);
}
