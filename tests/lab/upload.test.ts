// Large uploads: the memory that they need, the remains of an upload that broke off, and their watchers.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { residentBytes } from "../harness/host.ts";
import { read } from "../harness/readers.ts";
import { describeOwnServer, freshName, useOwnServer } from "../harness/suite.ts";

const MB = 1_000_000;
/** Several times what the garbage collectors of the runtime let lie: V8 looks at 64 MB of buffers at the earliest, and there are several isolates. */
const UPLOAD_BYTES = 400 * MB;
/** The runtime may grow by half of the body. A sink that keeps the body grows by twice its length. */
const BOUND_BYTES = UPLOAD_BYTES / 2;
const CHUNK = Buffer.from(Array.from({ length: 65_536 }, (_, index) => (index * 31) % 251));

/** Sends a body of this length as fast as it is taken, or only the beginning of it. */
async function upload(url: string, sent: number, length = sent, onSent = (_bytes: number) => {}): Promise<{ status: number; answer: { sha256?: string }; sha256: string } | undefined> {
  const hash = createHash("sha256");
  const put = request(url, { method: "PUT", headers: { "content-length": length } });
  const broken = once(put, "error");
  broken.catch(() => {});
  const response = once(put, "response");
  response.catch(() => {});
  for (let at = 0; at < sent; at += CHUNK.length) {
    const chunk = CHUNK.subarray(0, Math.min(CHUNK.length, sent - at));
    hash.update(chunk);
    if (!put.write(chunk)) await Promise.race([once(put, "drain"), response]);
    onSent(at + chunk.length);
  }
  if (sent < length) return void put.destroy();
  put.end();
  const [answer] = await response;
  let body = "";
  for await (const text of answer.setEncoding("utf8")) body += text;
  return { status: answer.statusCode, answer: JSON.parse(body), sha256: hash.digest("hex") };
}

type Event = { type: string; value: number; reason?: string };

describeOwnServer("large uploads", () => {
  const server = useOwnServer("upload", { UPLOAD_MAX_BYTES: `${UPLOAD_BYTES}` });
  const uploadOf = (name: string) => `${server.url}/progress/-/upload/${name}`;
  const channelOf = (name: string) => `${server.url}/progress/${name}`;

  test("400 MB go through a runtime that buffers little of them, watched early and late", { timeout: 300_000 }, async () => {
    // Compiled code. No more than that: what an instance's memory has once grown to it keeps, and a second large upload would find it there.
    await upload(uploadOf(freshName()), MB);

    const name = freshName();
    const early = read("sse", channelOf(name), "-1");
    let late: ReturnType<typeof read> | undefined;
    const before = residentBytes(server);
    let most = before;
    let looked = 0;
    const outcome = await upload(uploadOf(name), UPLOAD_BYTES, UPLOAD_BYTES, (bytes) => {
      if (bytes - looked >= 4 * MB) {
        looked = bytes;
        most = Math.max(most, residentBytes(server));
      }
      if (bytes > UPLOAD_BYTES / 2) late ??= read("sse", channelOf(name), "-1");
    });
    const growth = most - before;
    console.log(`${UPLOAD_BYTES / MB} MB uploaded: ${Math.round(before / MB)} MB resident, at most ${Math.round(growth / MB)} MB more`);
    expect(growth).toBeLessThan(BOUND_BYTES);
    expect(outcome).toMatchObject({ status: 200, answer: { type: "done", value: UPLOAD_BYTES, sha256: outcome!.sha256 } });
    for (const reader of [early, late!]) {
      expect(await reader.ended).toBe("finished");
      const values = (reader.events as Event[]).map(({ value }) => value);
      expect(values).toEqual(values.toSorted((a, b) => a - b));
      expect(reader.events.at(-1)).toMatchObject({ type: "done", value: UPLOAD_BYTES });
    }
  });

  test("an upload that breaks off after 45 MB ends for all its watchers", { timeout: 120_000 }, async () => {
    const name = freshName();
    const watcher = read("sse", channelOf(name), "-1");
    await upload(uploadOf(name), 45 * MB, 90 * MB);
    expect(await watcher.ended).toBe("finished");
    const last = watcher.events.at(-1) as Event;
    expect(last).toMatchObject({ type: "failed", reason: "body-incomplete" });
    expect(last.value).toBeLessThanOrEqual(45 * MB);
  });

  test("the bucket has an upload of several parts as it was sent, and nothing of an upload that broke off", { timeout: 120_000, tags: ["bucket"] }, async () => {
    const object = (key: string) => fetch(`${server.control}/object?key=${key}`, { method: "POST" });
    const [whole, broken] = [freshName().replace("demo-", ""), freshName().replace("demo-", "")];
    const outcome = await upload(uploadOf(whole), 20 * MB);
    const stored = Buffer.from(await (await object(whole)).arrayBuffer());
    expect(stored.length).toBe(20 * MB);
    expect(createHash("sha256").update(stored).digest("hex")).toBe(outcome!.sha256);
    await upload(uploadOf(broken), 20 * MB, 30 * MB);
    await eventually("it has ended", async () => (await fetch(channelOf(broken))).headers.has("stream-closed"));
    expect((await object(broken)).status).toBe(404);
  });
});
