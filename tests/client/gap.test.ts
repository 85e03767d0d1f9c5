// The gap that the client reports when the past is gone.

import { expect, test } from "vitest";
import { subscribe, type ChannelEvent, type Gap, type Transport } from "../../shared/client/src/index.ts";
import { describeOwnServer, freshName, publish, publishAll, useOwnServer } from "../harness/suite.ts";

const TRANSPORTS: Transport[] = ["websocket", "sse", "long-poll", "poll"];

describeOwnServer("a gap", () => {
  const server = useOwnServer("client-gap", { RETENTION_MAX_EVENTS: "3" });

  for (const transport of TRANSPORTS) {
    const tags = transport === "websocket" ? ["websocket"] : [];

    test(`is reported once, in its place, and the events resume from the earliest, over ${transport}`, { tags }, async () => {
      const channel = `${server.url}/feed/${freshName()}`;
      const requested = await publish(channel, 1);
      const earliest = await publishAll(channel, [2, 3, 4]);
      await publishAll(channel, [5, 6, 7]);

      const told: (Gap | ChannelEvent)[] = [];
      const subscription = subscribe(channel, { transports: [transport], offset: requested, pollMs: 20, onGap: (gap) => told.push(gap) });
      for await (const event of subscription) {
        told.push(event);
        if (event.data === 7) await publish(channel, 8);
        if (event.data === 8) break;
      }
      expect(told).toMatchObject([{ requested, earliest }, { data: 5 }, { data: 6 }, { data: 7 }, { data: 8 }]);
    });
  }
});
