// The components of Spin, by the server of the suites: tests/spin-host built for release, or the real `spin`.

import { counters, looks } from "../harness/host.ts";
import { RUNTIME } from "../harness/platform.ts";
import { Server } from "../harness/server.ts";
import { family, onServerCore } from "./processor.ts";
import type { Recipe } from "./served.ts";
import { stores } from "./state.ts";

export const SPIN: Recipe = {
  name: "spin",
  async start() {
    const server = await Server.start({ name: "bench", vars: { OPEN_ACCESS: "true", STREAM_MAX_FRAMES: "1000000000" }, before: onServerCore, within: stores() });
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
  },
};
