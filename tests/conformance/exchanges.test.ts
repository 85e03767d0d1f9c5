// A client of each version of `tidewire.v1` against the server of today: new members and frame types are ignored, all it knew is there.

import { describe, expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { EXCHANGES, Offsets, PREFIX, sendHttp, textOf } from "../harness/exchange.ts";
import { Socket } from "../harness/socket.ts";
import { freshName, useServer } from "../harness/suite.ts";

const server = useServer();

describe.each(EXCHANGES)("a client of $version", { tags: ["websocket"] }, ({ connections }) => {
  test("is answered as it was by the server of its time", async () => {
    const name = freshName();
    const offsets = new Offsets();
    for (const connection of connections) {
      const channel = `${server.url}${PREFIX[connection.function ?? "feed"]}${name}`;
      for (const step of connection.before) if ("http" in step) await sendHttp(channel, step);
      const socket = await Socket.open(channel, { offset: offsets.translate(connection.offset) });
      let [frames, texts] = [0, 0];
      for (const step of connection.steps) {
        if ("http" in step) await sendHttp(channel, step);
        else if ("client" in step) socket.raw.send(offsets.translate(textOf(step.client)));
        else if (typeof step.server === "string") {
          texts += 1;
          await eventually(step.server, () => socket.texts[texts - 1] === step.server);
        } else {
          const { type } = step.server;
          // Those of other types are a later version's.
          await eventually(`${connection.purpose}: ${type}`, () => {
            while (socket.frames[frames] && socket.frames[frames]!.type !== type) frames += 1;
            return frames < socket.frames.length;
          });
          expect(offsets.includes(socket.frames[frames], step.server), `${JSON.stringify(step.server)}, not ${JSON.stringify(socket.frames[frames])}`).toBe(true);
          frames += 1;
        }
      }
      if (connection.close !== undefined) expect(await socket.closed()).toBe(connection.close);
      socket.raw.close();
    }
  });
});
