// The state of producers does not grow with every producer that ever wrote, and keeps each producer that may still retry.

import { expect, test } from "vitest";
import { inStore, storeFiles } from "../harness/store.ts";
import { describeOwnServer, freshName, numbers, publishAll, useOwnServer } from "../harness/suite.ts";

const DAY_MS = 86_400_000;

describeOwnServer("forgetting", () => {
  const server = useOwnServer("forgetting");

  test("a producer that was silent for a week is forgotten, one that was for a day is not", { tags: ["sqlite"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const append = (id: string, seq: number, body: unknown[]) =>
      fetch(channel, {
        method: "POST",
        headers: { "content-type": "application/json", "producer-id": id, "producer-epoch": "0", "producer-seq": String(seq) },
        body: JSON.stringify(body),
      });
    for (const id of ["week", "day", "now", "unknown"]) expect((await append(id, 0, [id])).status).toBe(200);
    await publishAll(channel, numbers(1, 59));

    await server.kill9();
    for (const file of storeFiles(server)) {
      inStore(
        file,
        (database) => {
          const age = database.prepare("UPDATE producers SET busy_until_ms = ? WHERE id = ?");
          for (const [id, at] of [["week", Date.now() - 8 * DAY_MS], ["day", Date.now() - DAY_MS], ["unknown", 0]] as const) age.run(at, id);
        },
        "write",
      );
    }
    await server.restart();

    // The 64th event has the channel look.
    expect((await append("now", 1, ["look"])).status).toBe(200);
    const known = storeFiles(server).flatMap((file) => inStore(file, (database) => database.prepare("SELECT id FROM producers ORDER BY id").all()));
    expect(known.map(({ id }) => id)).toEqual(["day", "now", "unknown"]);
    expect((await append("day", 0, ["again"])).status).toBe(204);
    expect((await append("week", 0, ["begins anew"])).status).toBe(200);
  });
});
