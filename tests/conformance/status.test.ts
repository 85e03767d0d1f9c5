// A status: one value, polled. The vectors have the answers to a poll; these tests need many requests or a restart.

import { expect, test } from "vitest";
import { describeOwnServer, freshName, header, publish, useOwnServer, useServer } from "../harness/suite.ts";

const server = useServer();

test("however often it is set, a poll answers the newest value alone", async () => {
  const status = `${server.url}/status/${freshName()}`;
  const values = Array.from({ length: 100 }, (_, number) => ({ number }));
  for (const value of values) await publish(status, value);
  const answer = await fetch(status);
  expect(await answer.json()).toEqual(values.slice(-1));
  expect(header(answer, "retry-after")).toMatch(/^[1-9]\d*$/);
});

describeOwnServer("a status on a server of its own", () => {
  const own = useOwnServer("status-own");

  test("outlives its server, and so does the tag that a poll sends", async () => {
    const status = `${own.url}/status/${freshName()}`;
    await publish(status, { is: "up" });
    const etag = header(await fetch(status), "etag");
    await own.kill9();
    await own.restart();
    const again = await fetch(status, { headers: { "if-none-match": etag } });
    expect(again.status).toBe(304);
    expect(await (await fetch(status)).json()).toEqual([{ is: "up" }]);
  });
});
