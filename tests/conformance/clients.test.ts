// Clients that we did not write, side by side on one channel: each sees the same events, and an offset that one of them
// got resumes any other.

import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { DurableStream, IdempotentProducer, stream } from "@durable-streams/client";
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource } from "eventsource";
import { createParser } from "eventsource-parser";
import PartySocket from "partysocket";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { offers } from "../harness/platform.ts";
import { webSocketUrl, type ServerFrame } from "../harness/readers.ts";
import { freshName, header, numbers, publish, publishAll, useServer } from "../harness/suite.ts";

/** The events that a client has seen so far. */
interface Seen {
  events: unknown[];
  offset: string;
}

/** Starts a client at an offset; the function returned ends it. */
type Client = (channel: string, seen: Seen) => () => void;

const SOCKETS: Record<string, Client> = {
  "the WebSocket of Node": (channel, seen) => {
    const socket = new WebSocket(webSocketUrl(channel, { offset: seen.offset }), "tidewire.v1");
    socket.addEventListener("message", ({ data }) => take(seen, data as string));
    return () => socket.close();
  },

  "npm partysocket": (channel, seen) => {
    const { host, pathname } = new URL(channel);
    // The client builds the query for every reconnect, so the socket resumes at its position.
    const socket = new PartySocket({ host, basePath: pathname.slice(1), query: () => ({ offset: seen.offset }) });
    socket.addEventListener("message", ({ data }) => take(seen, data as string));
    return () => socket.close();
  },
};

/** Those that the platform serves. */
const CLIENTS: Record<string, Client> = {
  ...(offers("websocket") ? SOCKETS : {}),

  "npm eventsource": (channel, seen) => {
    const source = new EventSource(`${channel}?offset=${seen.offset}`);
    source.addEventListener("message", ({ data, lastEventId }) => {
      seen.events.push(JSON.parse(data as string));
      seen.offset = lastEventId;
    });
    return () => source.close();
  },

  "@microsoft/fetch-event-source": (channel, seen) => {
    const abort = new AbortController();
    // It follows a stream until it is stopped; its end by `abort` is not a failure.
    void fetchEventSource(`${channel}?offset=${seen.offset}`, {
      signal: abort.signal,
      openWhenHidden: true,
      fetch,
      onmessage({ data, id }) {
        // Also called for `retry:` alone.
        if (data === "") return;
        seen.events.push(JSON.parse(data));
        seen.offset = id;
      },
    });
    return () => abort.abort();
  },

  "@durable-streams/client by long poll": (channel, seen) => durableStream(channel, seen, "long-poll"),
  "@durable-streams/client by SSE": (channel, seen) => durableStream(channel, seen, "sse"),

  "curl -N": (channel, seen) => {
    const curl = spawn("curl", ["-sN", "-H", "Accept: text/event-stream", `${channel}?offset=${seen.offset}`]);
    const parser = createParser({
      onEvent({ data, id }) {
        seen.events.push(JSON.parse(data));
        seen.offset = id!;
      },
    });
    curl.stdout.setEncoding("utf8").on("data", (chunk: string) => parser.feed(chunk));
    return () => curl.kill("SIGKILL");
  },
};

// @microsoft/fetch-event-source is for pages: it takes timers from `window` and the visibility from `document`.
Object.assign(globalThis, { window: globalThis, document: { hidden: false, addEventListener() {}, removeEventListener() {} } });

function take(seen: Seen, message: string): void {
  const frame = JSON.parse(message) as ServerFrame;
  if (frame.type !== "events") return;
  for (const { data, offset } of frame.events) {
    seen.events.push(data);
    seen.offset = offset;
  }
}

function durableStream(url: string, seen: Seen, live: "long-poll" | "sse"): () => void {
  const abort = new AbortController();
  // Settles with the session; its end by `abort` is not a failure.
  void stream({ url, offset: seen.offset, live, json: true, signal: abort.signal }).then(
    (session) => {
      session.subscribeJson((batch) => {
        seen.events.push(...batch.items);
        seen.offset = batch.offset;
      });
      session.closed.catch(() => {});
    },
    () => {},
  );
  return () => abort.abort();
}

/** Starts every client at the position given for it. */
function startAll(channel: string, at: (index: number) => string): { name: string; seen: Seen; close: () => void }[] {
  const started = Object.entries(CLIENTS).map(([name, client], index) => {
    const seen = { events: [], offset: at(index) };
    return { name, seen, close: client(channel, seen) };
  });
  onTestFinished(() => started.forEach(({ close }) => close()));
  return started;
}

const server = useServer();

describe("clients that we did not write", () => {
  test("each sees history and live events, identical and in order, and all end at one offset", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    await publishAll(channel, numbers(1, 20));
    const clients = startAll(channel, () => "-1");
    // Live means that the history has arrived and more is still to come.
    for (const { name, seen } of clients) await eventually(`${name} has the history`, () => seen.events.length >= 20);
    for (const number of numbers(21, 60)) await publish(channel, number);
    await publishAll(channel, numbers(61, 80));
    const last = await publish(channel, 81);

    for (const { name, seen } of clients) await eventually(`${name} is at the tail`, () => seen.events.length >= 81);
    expect(Object.fromEntries(clients.map(({ name, seen }) => [name, seen.events]))).toEqual(
      Object.fromEntries(clients.map(({ name }) => [name, numbers(1, 81)])),
    );
    expect(clients.map(({ seen }) => seen.offset)).toEqual(clients.map(() => last));
  });

  test("@durable-streams/client and curl read from a stream what the other writes", async () => {
    const url = `${server.url}/v1/stream/${freshName()}`;
    const writer = await DurableStream.create({ url, contentType: "application/json" });
    const clients = startAll(url, () => "-1");
    for (const number of numbers(1, 20)) await writer.append(JSON.stringify(number));
    const producer = new IdempotentProducer(writer, "clients", { lingerMs: 1, maxInFlight: 1 });
    for (const number of numbers(21, 60)) producer.append(JSON.stringify(number));
    await producer.flush();
    for (const number of numbers(61, 70)) {
      await promisify(execFile)("curl", ["-sf", url, "-H", "content-type: application/json", "-d", JSON.stringify([number])]);
    }
    await writer.append(JSON.stringify({ text: "größe\n\u2028", nested: [[1], null] }));

    const expected = [...numbers(1, 70), { text: "größe\n\u2028", nested: [[1], null] }];
    for (const { name, seen } of clients) await eventually(`${name} is at the tail`, () => seen.events.length >= expected.length);
    expect(Object.fromEntries(clients.map(({ name, seen }) => [name, seen.events]))).toEqual(Object.fromEntries(clients.map(({ name }) => [name, expected])));
    const tail = header(await fetch(url, { method: "HEAD" }), "stream-next-offset");
    expect(clients.map(({ seen }) => seen.offset)).toEqual(clients.map(() => tail));
    expect(await (await fetch(url)).json(), "and for a client that polls").toEqual(expected);
  });

  test("each resumes at its own offset after it was away", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    await publishAll(channel, numbers(1, 10));
    const before = startAll(channel, () => "-1");
    for (const { name, seen } of before) await eventually(`${name} has the history`, () => seen.events.length >= 10);
    before.forEach(({ close }) => close());
    await publishAll(channel, numbers(11, 20));

    const after = startAll(channel, (index) => before[index]!.seen.offset);
    for (const { name, seen } of after) {
      await eventually(`${name} is at the tail`, () => seen.events.length >= 10);
      expect(seen.events, name).toEqual(numbers(11, 20));
    }
  });

  test("an offset that one client got in mid-stream resumes every other", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const first = startAll(channel, () => "-1");
    for (const number of numbers(1, 40)) {
      await publish(channel, number);
      // Each leaves at another point.
      first.forEach(({ seen, close }, index) => seen.events.length >= 5 * (index + 1) && close());
    }
    for (const [index, { name, seen, close }] of first.entries()) {
      await eventually(`${name} has its part`, () => seen.events.length >= 5 * (index + 1));
      close();
    }
    const left = first.map(({ seen }) => ({ count: seen.events.length, offset: seen.offset }));

    for (const distance of numbers(1, first.length - 1)) {
      const from = (index: number) => left[(index + distance) % left.length]!;
      const heirs = startAll(channel, (index) => from(index).offset);
      for (const [index, { name, seen, close }] of heirs.entries()) {
        const expected = numbers(from(index).count + 1, 40);
        await eventually(`${name} continues`, () => seen.events.length >= expected.length);
        expect(seen.events, `${name} after ${first[(index + distance) % first.length]!.name}`).toEqual(expected);
        close();
      }
    }
  });
});
