// The variable `store` with its password, right and wrong: no log and no answer has it.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { read } from "../harness/readers.ts";
import { Redis } from "../harness/redis.ts";
import { secret } from "../harness/secrets.ts";
import { OUTPUT, Server } from "../harness/server.ts";
import { COMMON } from "../harness/shared.ts";
import { describeOwnServer, freshName, publish } from "../harness/suite.ts";

const NEEDS = { tags: ["redis"] };
const WORD = secret(randomBytes(8).toString("hex"));
/** With signs that have to be encoded. */
const PASSWORD = `${WORD}/@:#`;
const ENCODED = encodeURIComponent(PASSWORD);

describeOwnServer("a password in the address of the store", () => {
  let folder: string;
  let redis: Redis;
  let host: Server;

  beforeAll(async () => {
    folder = mkdtempSync(join(OUTPUT, "state", "address-"));
    redis = await Redis.start(folder, "--requirepass", PASSWORD);
    host = await Server.start({ name: "address", store: at(`:${ENCODED}@`), vars: COMMON });
  });

  afterAll(async () => {
    await host?.stop();
    await redis?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const at = (user: string, scheme = "redis") => `${scheme}://${user}127.0.0.1:${redis.port}`;

  test("leads to the channels", NEEDS, async () => {
    const channel = `${host.url}/feed/${freshName()}`;
    await publish(channel, 1);
    const reader = read("sse", channel);
    await eventually("it reads", () => reader.events.length === 1);
    reader.close();
    expect(await (await fetch(channel)).json()).toEqual([1]);
    expect(host.log()).not.toContain(WORD);
  });

  test.for([
    ["none", "", "redis", "NOAUTH"],
    ["another", `:${WORD}@`, "redis", "Redis refused the user or the password"],
    ["not encoded", `:${PASSWORD}@`, "redis", "percent-encoded"],
    ["for another kind of server", `:${ENCODED}@`, "http", "the variable `store` must be redis://"],
    ["over TLS, which this host lacks", `:${ENCODED}@`, "rediss", "the host must have TLS"],
  ] as const)("%s: requests fail, and the log says why without it", NEEDS, async ([, user, scheme, why]) => {
    await host.kill9();
    await host.restart({ STORE: at(user, scheme), STORE_ORIGIN: at("", scheme) });
    const before = host.log().length;
    const channel = `${host.url}/feed/${freshName()}`;
    for (const answer of [await fetch(channel, { method: "POST", headers: { "content-type": "application/json" }, body: "1" }), await fetch(channel), await fetch(channel, { headers: { accept: "text/event-stream" } })]) {
      const text = await answer.text();
      expect([answer.status, (JSON.parse(text) as { type: string }).type], text).toEqual([500, "urn:tidewire:internal"]);
      expect(text).not.toContain(WORD);
    }
    await eventually("the log explains it", () => host.log().slice(before).includes(why));
    expect(host.log()).not.toContain(WORD);
    expect(host.log()).not.toContain(ENCODED);
  });
});
