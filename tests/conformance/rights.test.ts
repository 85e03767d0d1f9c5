// Access that ends: with the ticket that gave it, or because it was revoked.

import { createParser } from "eventsource-parser";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { publish as publishWithClient, subscribe, type Transport } from "../../shared/client/src/index.ts";
import { eventually } from "../harness/eventually.ts";
import { Socket } from "../harness/socket.ts";
import { alarms } from "../harness/store.ts";
import { describeOwnServer, header, numbers, useOwnServer } from "../harness/suite.ts";
import { freshKey, inSeconds, mint, ticketKeys, type Claims } from "../harness/ticket.ts";

const KEY = freshKey();
const CLOSED = { code: 3005, reason: "credential-expired" };
const REVOKED = { code: 3507, reason: "access-denied" };

describeOwnServer("access", () => {
  const server = useOwnServer("rights", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(KEY), LONG_POLL_MS: "20000" });
  let name: string;
  let channel: string;
  let manager: string;

  beforeEach(() => {
    name = `room-${randomUUID()}`;
    channel = `${server.url}/feed/${name}`;
    manager = ticket({ rights: ["read", "publish", "manage"], jti: "manager" });
  });

  function ticket(claims: Partial<Claims> = {}): string {
    return mint(KEY, { aud: "feed", ch: name, rights: ["read"], ...claims });
  }

  const bearer = (ticket: string) => ({ authorization: `Bearer ${ticket}` });

  async function publish(...batch: unknown[]): Promise<string> {
    const answer = await fetch(channel, { method: "POST", headers: { "content-type": "application/json", ...bearer(manager) }, body: JSON.stringify(batch) });
    expect(answer.status, await answer.text()).toBe(204);
    return header(answer, "stream-next-offset");
  }

  function revoke(body: unknown, as = manager): Promise<Response> {
    return fetch(`${server.url}/feed/-/revoke/${name}`, { method: "POST", headers: bearer(as), body: JSON.stringify(body) });
  }

  const statusOf = async (ticket: string) => (await fetch(channel, { headers: bearer(ticket) })).status;

  /** An SSE stream, as its events come: `EventSource` framing, or `live=sse`. */
  async function stream(ticket: string, query = "", accept = "text/event-stream") {
    const answer = await fetch(`${channel}?offset=-1${query}`, { headers: { accept, ...bearer(ticket) } });
    expect(answer.status).toBe(200);
    const events: { event: string | undefined; id: string | undefined; data: string }[] = [];
    const parser = createParser({ onEvent: ({ event, id, data }) => events.push({ event, id, data }) });
    const reader = answer.body!.getReader();
    onTestFinished(() => reader.cancel());
    const decoder = new TextDecoder();
    const ended = (async () => {
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) parser.feed(decoder.decode(chunk.value, { stream: true }));
      return events;
    })();
    return { events, ended };
  }

  // First of all: the others leave alarms.
  test("a socket that waited where nothing was published leaves no alarm", { tags: ["websocket"] }, async () => {
    const socket = await Socket.open(channel, { ticket: ticket({ exp: inSeconds(2) }) });
    await socket.first("close");
    await eventually("no alarm is left", async () => {
      await delay(300);
      return alarms(server) === 0;
    });
  });

  test("ends a WebSocket with its ticket, in sleep too", { tags: ["websocket"] }, async () => {
    await publish(1);
    const sockets = await Promise.all(numbers(1, 5).map(() => Socket.open(channel, { ticket: ticket({ exp: inSeconds(3) }) })));
    const lasting = await Socket.open(channel, { ticket: ticket() });
    for (const socket of sockets) await socket.hasEvents(1);
    await server.evict("FeedChannel", name);
    const wakes = server.wakes("FeedChannel");
    for (const socket of sockets) {
      expect(await socket.first("close")).toEqual({ type: "close", ...CLOSED });
    }
    expect(server.wakes("FeedChannel"), "one ring for all").toBe(wakes + 1);
    await publish(2);
    await lasting.hasEvents(2);
    const again = await Socket.open(channel, { ticket: ticket(), offset: sockets[0]!.all("events").at(-1)!.events.at(-1)!.offset });
    await again.hasEvents(1);
    expect(again.events).toEqual([2]);
  });

  test("refuses a WebSocket whose ticket has run out by 3005, and one without by 3507", { tags: ["websocket"] }, async () => {
    const late = await Socket.open(channel, { ticket: ticket({ exp: inSeconds(-600) }) });
    expect(await late.closed()).toBe(3005);
    expect(late.all("error")).toMatchObject([{ code: "credential-expired", status: 401 }]);
    const nobody = await Socket.open(channel);
    expect(await nobody.closed()).toBe(3507);
    expect(nobody.all("error")).toMatchObject([{ code: "credential-missing", status: 401 }]);
  });

  test("ends an EventSource with its ticket and says so without an id", async () => {
    const offset = await publish(1);
    const { ended } = await stream(ticket({ exp: inSeconds(3) }));
    expect(await ended).toEqual([
      { event: undefined, id: offset, data: "1" },
      { event: "close", id: offset, data: JSON.stringify(CLOSED) },
    ].map(({ event, id, data }) => ({ event, id: event ? undefined : id, data })));
  });

  test("ends live=sse with its ticket, between two events", async () => {
    await publish(1);
    const { ended } = await stream(ticket({ exp: inSeconds(3) }), "&live=sse", "*/*");
    expect((await ended).map(({ event }) => event)).toEqual(["data", "control"]);
  });

  test("answers a long poll early when its ticket ends", async () => {
    const offset = await publish(1);
    const answer = await fetch(`${channel}?offset=${offset}&live=long-poll`, { headers: bearer(ticket({ exp: inSeconds(2) })) });
    expect([answer.status, header(answer, "stream-next-offset")]).toEqual([204, offset]);
  });

  for (const transport of ["websocket", "sse", "long-poll", "poll"] as Transport[]) {
    test(`the client continues over ${transport} with fresh tickets, and nothing is lost`, { tags: transport === "websocket" ? ["websocket"] : [] }, async () => {
      let given = 0;
      let refused = 0;
      let current = ticket({ exp: inSeconds(2) });
      const fresh = (wasRefused: boolean) => {
        given += 1;
        refused += Number(wasRefused);
        return wasRefused ? (current = ticket({ exp: inSeconds(2) })) : current;
      };
      const got: unknown[] = [];
      const subscription = subscribe(channel, { transports: [transport], ticket: fresh, pollMs: 50, backoff: { baseMs: 5, capMs: 50 }, onEvent: ({ data }) => got.push(data) });
      onTestFinished(() => subscription.close());
      let sent = 0;
      while (refused < 3) {
        await publishWithClient(channel, (sent += 1), { ticket: () => manager });
        await delay(20);
      }
      await eventually("all have come", () => got.length >= sent);
      expect(got).toEqual(numbers(1, sent));
      expect(subscription.state).not.toBe("failed");
      expect(given).toBeGreaterThan(refused);
    });
  }

  test("is revoked by the ticket's id: its streams end, others continue", async () => {
    await publish(1);
    const [revoked, other] = [ticket({ jti: "a", sub: "ann" }), ticket({ jti: "b", sub: "ann" })];
    const streams = [await stream(revoked), await stream(revoked, "&live=sse", "*/*"), await stream(other)];
    for (const { events } of streams) await eventually("it is live", () => events.length > 0);
    expect((await revoke({ ticket: "a" })).status).toBe(204);
    expect((await streams[0]!.ended).at(-1)).toMatchObject({ event: "close", data: JSON.stringify(REVOKED) });
    await streams[1]!.ended;
    const answer = await fetch(channel, { headers: bearer(revoked) });
    expect([answer.status, await answer.json()]).toMatchObject([403, { type: "urn:tidewire:access-denied" }]);
    expect(await statusOf(other)).toBe(200);
    await publish(2);
    await eventually("the other has the next event", () => streams[2]!.events.some(({ data }) => data === "2"));
  });

  test("is revoked on a WebSocket at once", { tags: ["websocket"] }, async () => {
    await publish(1);
    const socket = await Socket.open(channel, { ticket: ticket({ jti: "a", rights: ["read", "publish"] }) });
    await socket.hasEvents(1);
    await server.evict("FeedChannel", name);
    await revoke({ ticket: "a" });
    expect(await socket.first("close")).toEqual({ type: "close", ...REVOKED });
    const again = await Socket.open(channel, { ticket: ticket({ jti: "a" }) });
    expect(await again.closed()).toBe(3507);
  });

  test("is revoked for all that a subject has, and for what it is given later", async () => {
    const offset = await publish(1);
    const anns = () => ticket({ sub: "ann", jti: randomUUID() });
    const waiting = fetch(`${channel}?offset=${offset}&live=long-poll`, { headers: bearer(anns()) });
    expect((await revoke({ subject: "ann" })).status).toBe(204);
    expect(await statusOf(anns())).toBe(403);
    expect((await waiting).status).toBeOneOf([204, 403]);
    expect(await statusOf(ticket({ sub: "ben" }))).toBe(200);
    expect((await fetch(channel, { method: "DELETE", headers: bearer(manager) })).status).toBe(204);
    expect(await statusOf(anns()), "also where the channel was deleted").toBe(403);
    await server.kill9();
    await server.restart();
    expect(await statusOf(anns()), "also after a restart").toBe(403);
    await publish(2);
    expect(await statusOf(anns()), "also where it was created again").toBe(403);
    expect(await statusOf(ticket({ sub: "ben" }))).toBe(200);
  });

  test("is revoked only with the right to manage the channel", async () => {
    expect((await revoke({ ticket: "a" }, ticket({ rights: ["read", "publish"] }))).status).toBe(403);
    expect((await fetch(`${server.url}/feed/-/revoke/${name}`, { method: "POST", body: '{"ticket":"a"}' })).status).toBe(401);
    for (const body of [{}, { ticket: "" }, { ticket: 1 }, { ticket: "a", subject: "b" }, ["a"]]) {
      const answer = await revoke(body);
      expect([answer.status, await answer.json()]).toMatchObject([400, { type: "urn:tidewire:revocation-invalid" }]);
    }
  });
});
