// Attacks by volume, one row each: what the attacker gets, while somebody else's publishes are served, and what was acknowledged is there afterwards.

import { once } from "node:events";
import { connect, type Socket as TcpSocket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { sendRaw } from "../harness/raw.ts";
import { read, type Reader } from "../harness/readers.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, freshName, header, publish, useOwnServer } from "../harness/suite.ts";

const JSON_TYPE = { "content-type": "application/json" };
const HALF_OPEN = 2_000;
/** Of all visitors of a channel under `demo-`, in ten seconds. */
const DEMO_EVENTS = 200;

const post = (channel: string, body: string, headers: Record<string, string> = {}) =>
  fetch(channel, { method: "POST", headers: { ...JSON_TYPE, ...headers }, body });

async function problem(answer: Response): Promise<[number, string]> {
  return [answer.status, ((await answer.json()) as { type: string }).type.replace("urn:tidewire:", "")];
}

describeOwnServer("attacks by volume", () => {
  // Closed as it is deployed: attackers have the channels under `demo-`.
  const server = useOwnServer("flood", { OPEN_ACCESS: "false" });
  const fresh = (path = "feed") => `${server.url}/${path}/${freshName()}`;

  // Somebody else, on a channel of their own: reads all the time, and publishes after each attack.
  let bystander = "";
  let reader: Reader;
  const sent: number[] = [];

  beforeAll(async () => {
    bystander = fresh();
    await othersAreServed();
    reader = read("sse", bystander);
  });

  afterAll(async () => {
    await othersAreServed();
    await eventually("the other's reader has everything", () => reader.events.length >= sent.length);
    expect([reader.events, reader.gaps]).toEqual([sent, []]);
    reader.close();
  });

  async function othersAreServed(): Promise<void> {
    sent.push(sent.length);
    await publish(bystander, sent.at(-1));
    expect(await (await fetch(bystander)).json()).toEqual(sent);
  }

  const BOMBS: { what: string; body: string; answer: [number, string] | 204 }[] = [
    { what: "thirty thousand nested arrays", body: "[".repeat(30_000) + "]".repeat(30_000), answer: [422, "json-too-deep"] },
    { what: "ten thousand nested objects", body: '{"a":'.repeat(10_000) + "1" + "}".repeat(10_000), answer: [422, "json-too-deep"] },
    { what: "half a million nested arrays", body: "[".repeat(500_000) + "]".repeat(500_000), answer: [413, "event-too-large"] },
    { what: "half a million brackets that nobody closes", body: "[".repeat(500_000), answer: [400, "body-not-json"] },
    { what: "an array of half a million numbers", body: `[${"1,".repeat(499_999)}1]`, answer: [413, "batch-too-large"] },
    { what: "an array of half a million numbers in one event", body: `{"a":[${"1,".repeat(499_999)}1]}`, answer: [413, "event-too-large"] },
    { what: "a number of a million digits", body: "9".repeat(1_000_000), answer: [413, "event-too-large"] },
    { what: "a number beyond every double", body: "1e999999999", answer: 204 },
    { what: "nine thousand members of one name", body: `{${'"a":1,'.repeat(9_000)}"a":2}`, answer: 204 },
    { what: "ten thousand NUL characters", body: `"${"\\u0000".repeat(10_000)}"`, answer: 204 },
    { what: "two megabytes of spaces", body: `${" ".repeat(2_000_000)}1`, answer: [413, "body-too-large"] },
  ];

  test.each(BOMBS)("JSON bomb over HTTP: $what", async ({ body, answer }) => {
    const channel = fresh();
    const got = await post(channel, body);
    if (answer === 204) {
      expect(got.status, await got.text()).toBe(204);
      expect(await (await fetch(channel)).text()).toBe(`[${body}]`);
    } else {
      expect(await problem(got)).toEqual(answer);
      expect(await (await fetch(channel)).text()).toBe("[]");
    }
    await othersAreServed();
  });

  test.each(BOMBS)("JSON bomb over WebSocket: $what", { tags: ["websocket"] }, async ({ body, answer }) => {
    const channel = fresh();
    const socket = await Socket.open(channel);
    await socket.first("hello");
    socket.send(`{"type":"publish","id":"b","data":${body}}`);
    // A frame that does not parse, or is too long, ends the connection.
    if (answer === 204) await socket.first("ack");
    else expect(["json-too-deep", "event-too-large", "body-too-large", "frame-invalid"]).toContain((await socket.first("error")).code);
    const stored = await (await fetch(channel)).text();
    expect(stored).toBe(answer === 204 ? `[${body}]` : "[]");
    await othersAreServed();
  });

  test("a body that never ends is refused at the limit, not collected", async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.write(`POST /feed/${freshName()} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`;
    let written = 0;
    while (answer === "" && !socket.destroyed && written < 320 * 1024 * 1024) {
      written += chunk.length;
      socket.write(chunk);
      await eventually("it is read", () => !socket.writableNeedDrain || answer !== "" || socket.destroyed);
    }
    await eventually("it is answered", () => answer !== "" || socket.destroyed);
    socket.destroy();
    // A client that is still writing when the server closes may never read the answer.
    expect(answer).toMatch(/^$|^HTTP\/1\.1 413 /);
    expect(written).toBeLessThan(100 * 1024 * 1024);
    await othersAreServed();
  });

  test("slow bodies hold nobody up, and a body that breaks off stores nothing", async () => {
    const name = freshName();
    const slow = await openMany(50, (write) =>
      write(`POST /feed/${name} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"x`),
    );
    await othersAreServed();
    for (const socket of slow) socket.write("x");
    await othersAreServed();
    for (const socket of slow) socket.destroy();
    await othersAreServed();
    expect(await (await fetch(`${server.url}/feed/${name}`)).text()).toBe("[]");
  });

  test(`${HALF_OPEN} half-open connections hold nobody up`, async () => {
    const sockets = await openMany(HALF_OPEN, (write) => write("GET /feed/demo-half-open HTTP/1.1\r\nHost: a\r\n"));
    const open = sockets.filter((socket) => !socket.destroyed).length;
    await othersAreServed();
    expect(open).toBe(HALF_OPEN);
    for (const socket of sockets) socket.destroy();
    await othersAreServed();
  });

  test("a header of a megabyte is refused", async () => {
    const answer = await sendRaw(server.url, [`GET /feed/demo-large HTTP/1.1`, `Last-Event-ID: ${"0".repeat(1_000_000)}`]);
    // The HTTP server refuses it before anything of ours sees it: a status, or the end of the connection.
    expect([400, 413, 431, Number.NaN]).toContain(answer.status);
    await othersAreServed();
  });

  test("a flood of publishes by POST: 429 with Retry-After, and all that was acknowledged is there", async () => {
    const channel = fresh();
    let next = 0;
    const acknowledged: number[] = [];
    const refused: Response[] = [];
    const flood = async () => {
      while (next < 600) {
        const number = next++;
        // A new name for each: it does not help.
        const answer = await post(channel, String(number), { "producer-id": `p${number}`, "producer-epoch": "0", "producer-seq": "0" });
        if (answer.status === 200) acknowledged.push(number);
        else refused.push(answer);
      }
    };
    await Promise.all([...Array.from({ length: 8 }, flood), othersAreServed()]);
    expect(acknowledged.length).toBeGreaterThanOrEqual(DEMO_EVENTS);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) {
      expect(Number(header(answer, "retry-after"))).toBeGreaterThan(0);
      expect(await problem(answer)).toEqual([429, "rate-exceeded"]);
    }
    const stored = (await (await fetch(channel)).json()) as number[];
    expect([...stored].sort((a, b) => a - b)).toEqual(acknowledged.sort((a, b) => a - b));
    await othersAreServed();
  });

  test("a flood of publishes over WebSocket: rate-exceeded, the connection stays, and all that was acknowledged is there", { tags: ["websocket"] }, async () => {
    const channel = fresh();
    const socket = await Socket.open(channel);
    await socket.first("hello");
    const COUNT = 3_000;
    for (let number = 0; number < COUNT; number++) {
      socket.send({ type: "publish", id: String(number), data: number, producer: { id: `p${number}`, epoch: 0, seq: 0 } });
    }
    await othersAreServed();
    await eventually("each is answered", () => socket.all("ack").length + socket.all("error").length === COUNT);
    expect(new Set(socket.all("error").map(({ code }) => code))).toEqual(new Set(["rate-exceeded"]));
    const acknowledged = socket.all("ack").map(({ id }) => Number(id));
    expect(acknowledged.length).toBeGreaterThanOrEqual(DEMO_EVENTS);
    expect(await (await fetch(channel)).json()).toEqual(acknowledged);
    expect(socket.closeCode).toBeUndefined();
    await othersAreServed();
  });

  test("a flood of channels, one event each: other clients are served", async () => {
    const channels = Array.from({ length: 100 }, () => fresh());
    const offsets = await Promise.all(channels.map((channel) => publish(channel, 1)));
    expect(offsets.every((offset) => offset.length > 0)).toBe(true);
    await othersAreServed();
  });

  /** Connections on which so much was written, and nothing more is. */
  async function openMany(count: number, begin: (write: (text: string) => void) => void): Promise<TcpSocket[]> {
    const { hostname, port } = new URL(server.url);
    const sockets: TcpSocket[] = [];
    for (let opened = 0; opened < count; opened += 100) {
      const some = Array.from({ length: Math.min(100, count - opened) }, () => connect(Number(port), hostname));
      for (const socket of some) socket.on("error", () => {}).on("data", () => {});
      await Promise.all(some.map((socket) => once(socket, "connect")));
      for (const socket of some) begin((text) => socket.write(text));
      sockets.push(...some);
    }
    return sockets;
  }
});
