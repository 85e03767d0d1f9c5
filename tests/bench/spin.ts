// The components of Spin, by the server of the suites: tests/spin-host built for release, or the real `spin`.

import { counters, looks } from "../harness/host.ts";
import { RUNTIME } from "../harness/platform.ts";
import { Server } from "../harness/server.ts";
import { family, onServerCore } from "./processor.ts";
import type { Recipe, Served } from "./served.ts";
import { stores } from "./state.ts";

export const SPIN: Recipe = spinWith("spin", {});

/** With further settings. */
export function spinWith(name: string, vars: Record<string, string>): Recipe {
  return { name, start: () => launch(vars) };
}

async function launch(vars: Record<string, string>): Promise<Served> {
  const server = await Server.start({ name: "bench", vars: { OPEN_ACCESS: "true", STREAM_MAX_FRAMES: "1000000000", ...vars }, before: onServerCore, within: stores() });
  return {
    port: server.port,
    // The real Spin runs a trigger as its child.
    pids: family(server.pid!),
    isNeverQuiet: true,
    ...(RUNTIME === "host"
      ? {
          looks: async () => {
            const counted = await counters(server);
            return { reads: looks(counted), instances: counted.instances_active };
          },
        }
      : {}),
    stop: () => server.stop(),
  };
}
