// Stores that another version of the code has written: older ones are upgraded in place, newer ones left as they are.

import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { PLATFORM } from "../harness/platform.ts";
import { contents, inStore, storeFiles, tables } from "../harness/store.ts";
import { describeOwnServer, header, useOwnServer } from "../harness/suite.ts";

const VERSION_1 = readFileSync(new URL(`store/version-1.${PLATFORM}.sql`, import.meta.url), "utf8");
/** Where Workers keeps the version, and where Spin does. */
const VERSION_TABLE = { workers: "channel", spin: "store" }[PLATFORM];
const NEWEST = { workers: 2, spin: 5 }[PLATFORM];

const TEXT = { "content-type": "text/plain" };
const AS_PRODUCER = { "producer-id": "p", "producer-epoch": "4", "producer-seq": "1" };

describeOwnServer("the store", () => {
  // The events of the fixture are older than any retention.
  const server = useOwnServer("store", { RETENTION_MAX_AGE_S: "9000000000" });
  const channel = () => `${server.url}/v1/stream/demo-store`;

  /** Ends the server, writes into its store, and starts it again. */
  async function rewrite(sql: (before: string[]) => string): Promise<void> {
    await server.kill9();
    inStore(file(), (database) => database.exec(sql(tables(database))), "write");
    await server.restart();
  }

  function file(): string {
    const files = storeFiles(server);
    expect(files).toHaveLength(1);
    return files[0]!;
  }

  beforeEach(async () => {
    // So that the platform makes the file.
    await fetch(channel(), { method: "PUT", headers: TEXT });
    await rewrite((before) => [...before.map((table) => `DROP TABLE ${table};`), VERSION_1].join("\n"));
  }, 120_000);

  test("of version 1 is read, written and upgraded, by the first request", { timeout: 120_000, tags: ["sqlite"] }, async () => {
    // At once, so that on Spin several instances want to upgrade it.
    const answers = await Promise.all(Array.from({ length: 40 }, () => fetch(channel())));
    for (const answer of answers) {
      expect([answer.status, await answer.text()]).toEqual([200, "a b c "]);
      expect(header(answer, "stream-next-offset")).toBe("018bcfe56800_00000000000003");
    }
    const append = (headers: Record<string, string>, body: string) => fetch(channel(), { method: "POST", headers: { ...TEXT, ...headers }, body });
    expect((await append(AS_PRODUCER, "c ")).status, "stored before").toBe(204);
    expect((await append({ ...AS_PRODUCER, "producer-seq": "2" }, "d ")).status).toBe(200);
    expect((await append({ "stream-seq": "m" }, "e ")).status, "not above the last").toBe(409);
    expect((await append({ "stream-seq": "n" }, "e ")).status).toBe(204);
    expect(await (await fetch(`${channel()}?offset=018bcfe56800_00000000000002`)).text()).toBe("c d e ");

    const rows = inStore(file(), contents);
    expect(rows[VERSION_TABLE]).toMatchObject([{ schema_version: NEWEST }]);
    expect(rows[{ workers: "channel", spin: "channels" }[PLATFORM]]).toMatchObject([{ revision: 0, ttl_s: null, expires_at_ms: null, touched_at_ms: null }]);
    expect(rows.events).toHaveLength(5);
    expect(await (await fetch(channel())).text()).toBe("a b c d e ");
  });

  test("of a newer version is refused, and nothing in it is changed", { timeout: 120_000, tags: ["sqlite"] }, async () => {
    await fetch(channel());
    await rewrite(() => `UPDATE ${VERSION_TABLE} SET schema_version = 99; ALTER TABLE events ADD COLUMN later TEXT DEFAULT 'x'`);
    const before = inStore(file(), contents);
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE"]) {
      const answer = await fetch(channel(), { method, headers: TEXT, ...(["POST", "PUT"].includes(method) ? { body: "x" } : {}) });
      expect(answer.status, method).toBe(500);
      if (method !== "HEAD") expect(await answer.json()).toMatchObject({ type: "urn:tidewire:internal", status: 500 });
    }
    expect(server.log(), "the log for the operator").toContain(`the store has schema 99, this code supports at most ${NEWEST}`);
    expect(inStore(file(), contents)).toEqual(before);
  });
});
