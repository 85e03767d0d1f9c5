// Jobs and uploads: their stored events, their end, and that no part of the server buffers a whole upload.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { request, type ClientRequest } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { read, TRANSPORTS } from "../harness/readers.ts";
import { describeOwnServer, freshName, header, numbers, useOwnServer, useServer } from "../harness/suite.ts";

interface JobState {
  type: "progress" | "done" | "failed";
  label: string;
  value: number;
  max?: number;
  unit: string;
  at: number;
  reason?: string;
  detail?: string;
  sha256?: string;
}

const JSON_HEADERS = { "content-type": "application/json" };
const state = (value: number, more: Partial<JobState> = {}): JobState => ({ type: "progress", label: "test", value, max: 100, unit: "", at: Date.now(), ...more });
const post = (channel: string, event: unknown, headers = {}) =>
  fetch(channel, { method: "POST", headers: { ...JSON_HEADERS, ...headers }, body: JSON.stringify(event) });

async function events(channel: string): Promise<{ events: JobState[]; isClosed: boolean }> {
  const answer = await fetch(channel);
  return { events: (await answer.json()) as JobState[], isClosed: answer.headers.get("stream-closed") === "true" };
}

const code = async (answer: Response) => `${answer.status} ${((await answer.json()) as { type: string }).type.split(":").at(-1)}`;

/** An upload whose bytes are sent by hand. Without a length it is sent in chunks. */
function startUpload(url: string, length?: number): { send(bytes: number): Promise<void>; finish(): void; cut(): void; answer: Promise<{ status: number; body: string }> } {
  const upload: ClientRequest = request(url, { method: "PUT", headers: length === undefined ? {} : { "content-length": length } });
  upload.flushHeaders();
  const answer = once(upload, "response").then(async ([response]) => {
    let body = "";
    for await (const chunk of response.setEncoding("utf8")) body += chunk;
    return { status: response.statusCode as number, body };
  });
  // An upload that was cut has no answer, and the test does not wait for it.
  answer.catch(() => {});
  onTestFinished(() => void upload.destroy());
  return {
    send: (bytes) => new Promise((sent, failed) => upload.write(Buffer.alloc(bytes), (error) => (error ? failed(error) : sent()))),
    finish: () => void upload.end(),
    cut: () => void upload.destroy(),
    answer,
  };
}

describe("progress", () => {
  const server = useServer();
  const channelOf = (name: string) => `${server.url}/progress/${name}`;
  const uploadOf = (name: string, query = "") => `${server.url}/progress/-/upload/${name}${query}`;

  test("a job starts, says how far it is, and ends every reader's stream", async () => {
    const channel = channelOf(freshName());
    const early = TRANSPORTS.map((transport) => read(transport, channel, "-1"));
    const started = await fetch(channel, { method: "PUT", headers: { ...JSON_HEADERS, "stream-ttl": "600" }, body: JSON.stringify(state(0)) });
    expect(started.status).toBe(201);
    expect((await post(channel, state(40))).status).toBe(204);
    const late = TRANSPORTS.map((transport) => read(transport, channel, "-1"));
    expect((await post(channel, state(100, { type: "done" }), { "stream-closed": "true" })).status).toBe(204);
    for (const reader of [...early, ...late]) {
      expect(await reader.ended, reader.transport).toBe("finished");
      expect(reader.events.map((event) => (event as JobState).value), reader.transport).toEqual([0, 40, 100]);
    }
    expect(await code(await post(channel, state(100)))).toBe("409 channel-closed");
  });

  test("four events a second are stored, and how it ended in any case", async () => {
    const channel = channelOf(freshName());
    // Four at once are a second's worth: however slow the machine, most of twenty such batches come too early.
    const answers = await Promise.all(numbers(1, 20).map((value) => post(channel, numbers(1, 4).map(() => state(value)))));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(await code(await post(channel, numbers(1, 5).map((value) => state(value))))).toBe("413 batch-too-large");
    for (const answer of refused) expect(Number(header(answer, "retry-after"))).toBeGreaterThan(0);
    const last = state(20, { type: "failed", reason: "disk-full", detail: "The disk is full." });
    expect((await post(channel, last, { "stream-closed": "true" })).status).toBe(204);
    const stored = await events(channel);
    expect(stored.isClosed).toBe(true);
    expect(stored.events.at(-1)).toEqual(last);
  });

  test("a message that is not a progress is refused", async () => {
    const channel = channelOf(freshName());
    for (const event of [{}, 7, state(-1), state(1, { label: "x".repeat(201) }), state(1, { reason: "x" }), state(1, { type: "failed" }), { ...state(1), more: 1 }]) {
      expect(await code(await post(channel, event)), JSON.stringify(event)).toBe("422 event-refused");
    }
    expect((await events(channel)).events).toEqual([]);
  });

  test("an upload is counted, hashed and answered, however long it is", async () => {
    const name = freshName();
    const body = randomBytes(3_000_001);
    const watcher = read("sse", channelOf(name), "-1");
    const answer = await fetch(uploadOf(name, "?name=a%20b+%C3%A9.bin"), { method: "PUT", body });
    const last = (await answer.json()) as JobState;
    expect(answer.status, JSON.stringify(last)).toBe(200);
    const sha256 = createHash("sha256").update(body).digest("hex");
    expect(last).toMatchObject({ type: "done", label: "a b é.bin", value: body.length, max: body.length, unit: "bytes", sha256 });
    expect(await watcher.ended).toBe("finished");
    expect(watcher.events[0]).toMatchObject({ type: "progress", value: 0, max: body.length });
    expect(watcher.events.at(-1)).toEqual(last);
    const ttl = (await fetch(channelOf(name), { method: "HEAD" })).headers;
    expect([ttl.get("stream-ttl"), ttl.get("stream-closed")]).toEqual(["86400", "true"]);
  });

  test("an empty file and one of unknown length are uploads, too", async () => {
    const [empty, chunked] = [freshName(), freshName()];
    const answer = await fetch(uploadOf(empty), { method: "PUT", body: new Uint8Array() });
    expect(await answer.json()).toMatchObject({ type: "done", label: empty, value: 0, sha256: createHash("sha256").digest("hex") });
    const upload = startUpload(uploadOf(chunked));
    await upload.send(1_000);
    await upload.send(2_000);
    upload.finish();
    const { status, body } = await upload.answer;
    expect(status, body).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ value: 3_000, max: 3_000 });
    expect((await events(channelOf(chunked))).events[0]).not.toHaveProperty("max");
  });

  test("a late reader gets the present state, then what follows", async () => {
    const name = freshName();
    const upload = startUpload(uploadOf(name), 1_000_000);
    await upload.send(100_000);
    await eventually("it is counted", async () => {
      await upload.send(1);
      return ((await events(channelOf(name))).events.at(-1)?.value ?? 0) >= 100_000;
    });
    const readers = TRANSPORTS.map((transport) => read(transport, channelOf(name), "-1"));
    await eventually("they have the state", () => readers.every((reader) => ((reader.events.at(-1) as JobState | undefined)?.value ?? 0) >= 100_000));
    upload.cut();
    for (const reader of readers) {
      expect(await reader.ended, reader.transport).toBe("finished");
      expect(reader.events.at(-1), reader.transport).toMatchObject({ type: "failed", reason: "body-incomplete", max: 1_000_000 });
      expect((reader.events.at(-1) as JobState).value).toBeGreaterThanOrEqual(100_000);
    }
  });

  test("an upload that breaks off at once ends as well", async () => {
    const name = freshName();
    const upload = startUpload(uploadOf(name), 1_000_000);
    await eventually("it has begun", async () => (await events(channelOf(name))).events.length === 1);
    upload.cut();
    await eventually("it has ended", async () => (await events(channelOf(name))).isClosed);
    expect((await events(channelOf(name))).events.map(({ type, reason }) => [type, reason])).toEqual([["progress", undefined], ["failed", "body-incomplete"]]);
  });

  test("takes a channel of its own, and only PUT", async () => {
    const name = freshName();
    expect((await post(channelOf(name), state(1))).status).toBe(204);
    expect(await code(await fetch(uploadOf(name), { method: "PUT", body: "x" }))).toBe("409 configuration-mismatch");
    expect((await events(channelOf(name))).events.length).toBe(1);
    expect(await code(await fetch(uploadOf(freshName()), { method: "POST", body: "x" }))).toBe("405 method-not-allowed");
    expect(await code(await fetch(uploadOf("a%2Fb"), { method: "PUT", body: "x" }))).toBe("400 channel-name-invalid");
    expect(await code(await fetch(uploadOf(""), { method: "PUT", body: "x" }))).toBe("400 channel-name-invalid");
    expect(await code(await fetch(`${server.url}/progress/-/other/${name}`, { method: "PUT", body: "x" }))).toBe("404 route-not-found");
  });

  test("a client that closes the channel ends the upload", async () => {
    const name = freshName();
    const upload = startUpload(uploadOf(name), 1_000_000);
    await upload.send(1_000);
    await eventually("it has begun", async () => (await events(channelOf(name))).events.length > 0);
    const cancelled = state(1_000, { type: "failed", reason: "cancelled" });
    expect((await post(channelOf(name), cancelled, { "stream-closed": "true" })).status).toBe(204);
    let status = 0;
    void upload.answer.then((answer) => (status = answer.status));
    await eventually("the upload is refused", async () => {
      await upload.send(1).catch(() => {});
      return status > 0;
    });
    expect(status).toBe(409);
    expect((await events(channelOf(name))).events.at(-1)).toEqual(cancelled);
  });
});

describeOwnServer("an upload on a server of its own", () => {
  const server = useOwnServer("progress-limits", { UPLOAD_MAX_BYTES: "100000", MAX_BODY_BYTES: "1000" });
  const uploadOf = (name: string) => `${server.url}/progress/-/upload/${name}`;

  test("has a limit of its own, known beforehand or counted", async () => {
    const [name, chunked] = [freshName(), freshName()];
    expect((await fetch(uploadOf(name), { method: "PUT", body: new Uint8Array(100_000) })).status).toBe(200);
    const large = freshName();
    expect(await code(await fetch(uploadOf(large), { method: "PUT", body: new Uint8Array(100_001) }))).toBe("413 body-too-large");
    expect(await events(`${server.url}/progress/${large}`)).toMatchObject({ isClosed: true, events: [{ type: "failed", value: 0, reason: "body-too-large" }] });
    const upload = startUpload(uploadOf(chunked));
    await upload.send(100_001);
    upload.finish();
    expect((await upload.answer).status).toBe(413);
    const stored = await events(`${server.url}/progress/${chunked}`);
    expect([stored.isClosed, stored.events.at(-1)?.type, stored.events.at(-1)?.reason]).toEqual([true, "failed", "body-too-large"]);
  });

  test("is kept in the bucket, but not from strangers", { tags: ["bucket"] }, async () => {
    const stored = async (key: string) => {
      const answer = await fetch(`${server.control}/object?key=${key}`, { method: "POST" });
      return answer.status === 200 ? Buffer.from(await answer.arrayBuffer()) : undefined;
    };
    const [kept, strangers] = [freshName().replace("demo-", ""), freshName()];
    const body = randomBytes(100_000);
    for (const name of [kept, strangers]) expect((await fetch(uploadOf(name), { method: "PUT", body })).status).toBe(200);
    expect(body.equals((await stored(kept))!)).toBe(true);
    expect(await stored(strangers)).toBeUndefined();
  });
});

describeOwnServer("a closed server", () => {
  const server = useOwnServer("progress-closed", { OPEN_ACCESS: "false" });

  test("refuses an upload where the client may not publish", async () => {
    expect(await code(await fetch(`${server.url}/progress/-/upload/private`, { method: "PUT", body: "x" }))).toBe("401 credential-missing");
  });

  test("takes jobs and uploads of anybody in demo channels, which end sooner", async () => {
    const [uploaded, job] = [freshName(), freshName()];
    expect((await fetch(`${server.url}/progress/-/upload/${uploaded}`, { method: "PUT", body: "x" })).status).toBe(200);
    expect((await fetch(`${server.url}/progress/${job}`, { method: "PUT", headers: JSON_HEADERS, body: JSON.stringify(state(0)) })).status).toBe(201);
    for (const name of [uploaded, job]) expect((await fetch(`${server.url}/progress/${name}`, { method: "HEAD" })).headers.get("stream-ttl")).toBe("3600");
  });
});
