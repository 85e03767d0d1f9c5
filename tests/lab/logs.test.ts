// The log for operators: one line for each connection that ended and each refused request. Every suite checks the log of its server for secrets.

import { createHash, randomUUID } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { faultsOf, secret } from "../harness/secrets.ts";
import { Socket } from "../harness/socket.ts";
import { describeOwnServer, header, useOwnServer } from "../harness/suite.ts";
import { freshKey, inSeconds, mint, ticketKeys, type Claims } from "../harness/ticket.ts";

interface Line {
  event: string;
  request: string;
  function: string;
  transport: string;
  channel: string | null;
  code: number;
  reason: string;
  from?: string;
  to?: string;
  ms: number;
}

const KEY = freshKey();

describeOwnServer("the log", () => {
  const server = useOwnServer("logs", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(KEY), STREAM_MAX_MS: "4000", HEARTBEAT_MS: "300" });
  let channel: string;
  let hash: string;
  let name: string;

  beforeEach(() => {
    name = `room-${randomUUID()}`;
    channel = `${server.url}/feed/${name}`;
    hash = createHash("sha256").update(`feed/${name}`).digest("hex").slice(0, 16);
  });

  const ticket = (claims: Partial<Claims> = {}) => mint(KEY, { aud: "feed", ch: name, rights: ["read", "publish", "manage"], ...claims });
  const bearer = (ticket: string) => ({ authorization: `Bearer ${ticket}` });

  async function publish(data: unknown): Promise<string> {
    const answer = await fetch(channel, { method: "POST", headers: { "content-type": "application/json", ...bearer(ticket()) }, body: JSON.stringify(data) });
    return header(answer, "stream-next-offset");
  }

  /** Lines of this test's channel. */
  function lines(): Line[] {
    const found = server.log().split("\n").map((line) => line.replace(/^\[[\w-]+\] /, "")).filter((line) => line.startsWith("{"));
    return found.map((line) => JSON.parse(line) as Line).filter((line) => line.channel === hash);
  }

  async function line(): Promise<Line> {
    await eventually("a line", () => lines().length > 0);
    expect(lines()).toHaveLength(1);
    return lines()[0]!;
  }

  test("names the offsets of a stream that ended with its ticket", async () => {
    await publish(1);
    const answer = await fetch(`${channel}?offset=-1`, { headers: { accept: "text/event-stream", ...bearer(ticket({ exp: inSeconds(3) })) } });
    const last = await publish(2);
    await answer.text();
    expect(await line()).toMatchObject({ event: "end", function: "feed", transport: "event-source", to: last, code: 3005, reason: "credential-expired" });
    expect((await line()).request).toMatch(/^[0-9a-f]{16}$/);
  });

  test("has a line for a stream that was renewed, and for a stream whose client left", async () => {
    await publish(1);
    await (await fetch(`${channel}?offset=-1&live=sse`, { headers: bearer(ticket()) })).text();
    expect(await line()).toMatchObject({ event: "end", transport: "durable-sse", code: 4001, reason: "stream-renewed" });
    const abort = new AbortController();
    const answer = await fetch(`${channel}?offset=-1&live=sse`, { headers: bearer(ticket()), signal: abort.signal });
    await answer.body!.getReader().read();
    abort.abort();
    await eventually("a second line", () => lines().length > 1);
    expect(lines()[1]).toMatchObject({ code: 4000, reason: "left" });
  });

  test("has a line for a socket that left, and for a socket that was revoked", { tags: ["websocket"] }, async () => {
    const last = await publish(1);
    const socket = await Socket.open(channel, { ticket: ticket() });
    await socket.hasEvents(1);
    socket.raw.close();
    expect(await line()).toMatchObject({ event: "end", transport: "websocket", to: last, reason: "left" });
    const revoked = await Socket.open(channel, { ticket: ticket({ jti: "a" }) });
    await revoked.hasEvents(1);
    await fetch(`${server.url}/feed/-/revoke/${name}`, { method: "POST", headers: bearer(ticket()), body: '{"ticket":"a"}' });
    await eventually("a second line", () => lines().length > 1);
    expect(lines()[1]).toMatchObject({ event: "end", code: 3507, reason: "access-denied" });
  });

  test.each([
    ["no credential", () => ({}), 401, "credential-missing"],
    ["a credential that is none", () => bearer(secret(`no-ticket-${randomUUID()}`)), 401, "credential-invalid"],
    ["too few rights", () => bearer(ticket({ rights: ["publish"] })), 403, "access-denied"],
  ])("has a line for a request with %s", async (_, headers, code, reason) => {
    const answer = await fetch(`${channel}?live=long-poll&offset=-1&x=${secret(randomUUID())}`, { headers: { ...headers(), cookie: `a=${secret(randomUUID())}` } });
    expect(answer.status).toBe(code);
    expect(await line()).toMatchObject({ event: "refused", function: "feed", transport: "long-poll", code, reason });
  });

  test("has a line for a request that its channel refused, and no line for an answered request", async () => {
    await publish(1);
    expect((await fetch(`${channel}?offset=000000000001_00000000000001`, { headers: bearer(ticket()) })).status).toBe(410);
    expect((await fetch(channel, { headers: bearer(ticket()) })).status).toBe(200);
    expect(await line()).toMatchObject({ event: "refused", transport: "poll", code: 410, reason: "offset-gone" });
  });

  test("is searched: a secret or a torn line is found", () => {
    const hidden = secret(randomUUID());
    expect(faultsOf(`[feed] {"event":"end"}\nready\n`)).toEqual([]);
    expect(faultsOf(`{"event":"end"\n{"a":1}\n${hidden}`)).toHaveLength(3);
  });
});
