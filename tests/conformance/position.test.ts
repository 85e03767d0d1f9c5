// A reader knows where it is before its first event: one that is cut off, or whose stream the server renews, while nothing came, loses nothing.

import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource, type FetchLike } from "eventsource";
import { createParser } from "eventsource-parser";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { ABSENT, describeOwnServer, freshName, header, publish, publishAll, useOwnServer } from "../harness/suite.ts";

/** Age at which this server ends a stream. */
const STREAM_MAX_MS = 3_000;

/** The events that a client has seen. */
interface Seen {
  events: unknown[];
  /** All that was dispatched, `gap` included. */
  kinds: string[];
  /** The bytes of each of its streams. */
  streams: string[];
  /** What happens before it requests its second stream. */
  meanwhile: () => Promise<unknown>;
}

const TEXT = { "content-type": "text/event-stream" };

/** A `fetch` that keeps what it reads, and waits between two streams for what must happen in the meantime. */
const keeping =
  (seen: Seen) =>
  async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    if (seen.streams.length === 1) await seen.meanwhile();
    const answer = await fetch(url, init);
    if (!answer.body || answer.status !== 200) return answer;
    const index = seen.streams.push("") - 1;
    const tap = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, passed) {
        seen.streams[index] += Buffer.from(chunk).toString();
        passed.enqueue(chunk);
      },
    });
    return new Response(answer.body.pipeThrough(tap), { status: answer.status, headers: TEXT });
  };

const CLIENTS: Record<string, (url: string, seen: Seen) => void> = {
  "npm eventsource": (url, seen) => {
    const source = new EventSource(url, { fetch: keeping(seen) as unknown as FetchLike });
    for (const kind of ["message", "gap", "close"]) source.addEventListener(kind, ({ data }) => take(seen, kind, data as string));
    onTestFinished(() => source.close());
  },

  "@microsoft/fetch-event-source": (url, seen) => {
    const abort = new AbortController();
    void fetchEventSource(url, {
      signal: abort.signal,
      openWhenHidden: true,
      fetch: keeping(seen),
      // It hands out each block, also one without data; an application looks at those with data.
      onmessage: ({ event, data }) => data !== "" && take(seen, event || "message", data),
      // By default it ends when a stream ends.
      onclose() {
        throw new Error("the stream ended");
      },
      onerror: () => 100,
    });
    onTestFinished(() => abort.abort());
  },
};

// @microsoft/fetch-event-source is for pages: it takes timers from `window` and the visibility from `document`.
Object.assign(globalThis, { window: globalThis, document: { hidden: false, addEventListener() {}, removeEventListener() {} } });

function take(seen: Seen, kind: string, data: string): void {
  seen.kinds.push(kind);
  if (kind === "message") seen.events.push(JSON.parse(data));
}

/** Starts a client, and waits until its first stream has begun. */
async function start(client: (url: string, seen: Seen) => void, url: string, meanwhile: () => Promise<unknown> = async () => {}): Promise<Seen> {
  const seen: Seen = { events: [], kinds: [], streams: [], meanwhile };
  client(url, seen);
  await begun(seen, 1);
  return seen;
}

const begun = (seen: Seen, count: number) => eventually(`stream ${count} has begun`, () => (seen.streams[count - 1] ?? "").includes("\n\n"));

describeOwnServer("a reader without an event", () => {
  const server = useOwnServer("position", { HEARTBEAT_MS: "200", RETRY_MS: "200", STREAM_MAX_MS: String(STREAM_MAX_MS) });

  for (const [name, client] of Object.entries(CLIENTS)) {
    for (const existed of [true, false]) {
      const where = existed ? "of a channel with a past" : "of a channel that is made later";
      test(`${name} at \`now\` ${where} is cut, and misses nothing that came in the meantime`, async () => {
        const proxy = await Proxy.start(server.port);
        onTestFinished(() => proxy.stop());
        const path = `/feed/${freshName()}`;
        if (existed) await publish(server.url + path, "past");
        const seen = await start(client, `${proxy.url}${path}?offset=now`, () => publishAll(server.url + path, ["meanwhile", "and again"]));
        proxy.cut();
        await eventually("it has what came in the meantime", () => seen.events.length >= 2);
        await publish(server.url + path, "live");
        await eventually("it is live", () => seen.events.length >= 3);
        expect(seen.kinds).toEqual(["message", "message", "message"]);
        expect(seen.events).toEqual(["meanwhile", "and again", "live"]);
      });
    }

    test(`${name} at \`now\` is renewed by the server, and misses nothing that came between`, async () => {
      const channel = `${server.url}/feed/${freshName()}`;
      await publish(channel, "past");
      const seen = await start(client, `${channel}?offset=now`, () => publish(channel, "between"));
      await begun(seen, 2);
      expect(seen.streams[0]).toMatch(/retry:100\n\n$/);
      await publish(channel, "live");
      await eventually("it has all", () => seen.events.length >= 2);
      expect(seen.events).toEqual(["between", "live"]);
    });
  }

  test("an EventSource gets its position once, and no event is dispatched for it", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const tail = await publish(channel, "past");
    const seen = await start(CLIENTS["npm eventsource"]!, `${channel}?offset=now`);
    await eventually("there are heartbeats", () => seen.streams[0]!.includes(":\n\n:\n\n"));
    const found = { ids: [] as string[], events: 0 };
    createParser({ onId: (id) => found.ids.push(id ?? ""), onEvent: () => (found.events += 1) }).feed(seen.streams[0]!);
    expect(found).toEqual({ ids: [tail], events: 0 });
    expect(seen.kinds).toEqual([]);
  });

  test("a reader that is cut before it hears of a gap hears of it the next time", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const lost = await publish(channel, "of a channel that is deleted");
    expect((await fetch(channel, { method: "DELETE" })).status).toBe(204);
    await publish(channel, "new");
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const answer = await fetch(`${channel}?offset=${lost}`, { headers: { accept: "text/event-stream" }, signal: abort.signal });
    let text = "";
    for await (const chunk of answer.body!) {
      text += Buffer.from(chunk).toString();
      if (text.includes("new")) break;
    }
    // No id before that of the gap itself.
    expect(text).toMatch(/^retry:\d+\n\nid:[^\n]+\nevent: gap\n/);
  });

  test("each other way of reading says where it is, also with nothing to read", async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    for (const existed of [false, true]) {
      const tail = existed ? await publish(channel, 1) : ABSENT;
      const poll = await fetch(`${channel}?offset=now`);
      expect([header(poll, "stream-next-offset"), await poll.json()]).toEqual([tail, []]);
      const waited = await fetch(`${channel}?offset=now&live=long-poll`);
      expect([header(waited, "stream-next-offset"), waited.status]).toEqual([tail, 204]);
      const newest = await fetch(`${channel}?view=latest&offset=${tail}`);
      expect(header(newest, "stream-next-offset")).toBe(tail);
      const stream = (await fetch(`${channel}?offset=now&live=sse`)).body!.getReader();
      const { value } = await stream.read();
      expect(Buffer.from(value!).toString()).toContain(`"streamNextOffset":"${tail}"`);
      await stream.cancel();
    }
  });
});
