// The platform under test, and what it lacks. A test says what it needs by tags: `test(title, { tags: ["websocket"] }, ...)`.
// vitest skips those whose tag the platform lacks, and `cargo harness test` compares them with tests/skipped.json.

/** What a test can need. */
export const REQUIREMENTS = {
  websocket: "takes WebSockets from outside",
  "websocket-refused": "takes no WebSocket from outside, and says so",
  "durable-objects": "holds a channel in a Durable Object, which sleeps when it is quiet",
  "host-counters": "runs in tests/spin-host, whose control port counts, recycles, traps and moves the clock",
  bucket: "has a bucket for uploads",
  routes: "gives a function its path in the manifest, so that one build runs at any path",
} as const;

export type Requirement = keyof typeof REQUIREMENTS;
export type Platform = "workers" | "spin";

const OFFERS: Record<Platform, Requirement[]> = {
  workers: ["websocket", "durable-objects", "bucket"],
  spin: ["websocket-refused", "host-counters", "routes"],
};

export const PLATFORM = (process.env.TIDEWIRE_PLATFORM ?? "workers") as Platform;
if (!(PLATFORM in OFFERS)) throw new Error(`TIDEWIRE_PLATFORM is ${PLATFORM}; there are workers and spin`);

export function offers(requirement: Requirement): boolean {
  return OFFERS[PLATFORM].includes(requirement);
}
