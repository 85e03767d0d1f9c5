// The client's `subscribe` against our server: every transport, every change between them.

import { describe, expect, onTestFinished, test } from "vitest";
import { publish as publishWithClient, subscribe, TidewireError, type State, type SubscribeOptions, type Transport } from "../../shared/client/src/index.ts";
import { eventually } from "../harness/eventually.ts";
import { offers } from "../harness/platform.ts";
import { freshName, numbers, publish, publishAll, useServer } from "../harness/suite.ts";
import { dataOf, take, takeAll } from "./events.ts";
import { Middlebox, serve } from "./middlebox.ts";

const server = useServer();
const TRANSPORTS: Transport[] = ["websocket", "sse", "long-poll", "poll"];
const FAST = { pollMs: 20, backoff: { baseMs: 5, capMs: 50 } } satisfies SubscribeOptions;

const freshChannel = () => `${server.url}/feed/${freshName()}`;

function finish(channel: string): Promise<Response> {
  return fetch(channel, { method: "POST", headers: { "stream-closed": "true" } });
}

for (const transport of TRANSPORTS) describe(transport, { tags: transport === "websocket" ? ["websocket"] : [] }, () => {
  const only = { ...FAST, transports: [transport] } satisfies SubscribeOptions;

  test("gives history and what comes later, the same as any other transport", async () => {
    const channel = freshChannel();
    await publishAll(channel, [1, { two: [2] }, null]);
    const subscription = subscribe(channel, only);
    const events = take(subscription, 5);
    await eventually("it is live", () => subscription.state === "live");
    await publish(channel, "fünf");
    const last = await publish(channel, [5]);
    const got = await events;
    expect(dataOf(got)).toEqual([1, { two: [2] }, null, "fünf", [5]]);
    expect(got.at(-1)!.offset).toBe(last);
    expect(subscription).toMatchObject({ transport, offset: last, state: "closed" });
  });

  test("resumes from the offset of the last event", async () => {
    const channel = freshChannel();
    await publishAll(channel, numbers(1, 3));
    const first = await take(subscribe(channel, only), 3);
    await publishAll(channel, numbers(4, 6));
    const second = await take(subscribe(channel, { ...only, offset: first.at(-1)!.offset }), 3);
    expect(dataOf([...first, ...second])).toEqual(numbers(1, 6));
  });

  test("reads from now on, on request", async () => {
    const channel = freshChannel();
    await publish(channel, "old");
    const subscription = subscribe(channel, { ...only, offset: "now" });
    const events = take(subscription, 1);
    await eventually("it is live", () => subscription.state === "live");
    await publish(channel, "new");
    expect(dataOf(await events)).toEqual(["new"]);
  });

  test("waits for a channel that does not exist yet", async () => {
    const channel = freshChannel();
    const subscription = subscribe(channel, only);
    const events = take(subscription, 1);
    await eventually("it is live", () => subscription.state === "live");
    await publish(channel, "first");
    expect(dataOf(await events)).toEqual(["first"]);
  });

  test("ends with the channel", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    const subscription = subscribe(channel, only);
    const events = takeAll(subscription);
    await eventually("it is live", () => subscription.state === "live");
    await finish(channel);
    expect(dataOf(await events)).toEqual([1]);
    expect(subscription.state).toBe("finished");
    expect(dataOf(await takeAll(subscribe(channel, only))), "of a channel that was finished before").toEqual([1]);
  });

  test("reads text and bytes", async () => {
    const put = async (contentType: string): Promise<string> => {
      const channel = `${server.url}/v1/stream/${freshName()}`;
      await fetch(channel, { method: "PUT", headers: { "content-type": contentType } });
      return channel;
    };
    const text = await put("text/plain");
    await publishWithClient(text, "zwölf\n", { contentType: "text/plain" });
    await publishWithClient(text, "Boxkämpfer", { contentType: "text/plain" });
    await finish(text);
    expect(dataOf(await takeAll(subscribe<string>(text, only))).join("")).toBe("zwölf\nBoxkämpfer");

    const binary = await put("application/octet-stream");
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await publishWithClient(binary, bytes);
    await finish(binary);
    const [event, ...more] = dataOf(await takeAll(subscribe(binary, only)));
    expect([event, ...more]).toEqual([bytes]);
  });

  test("keeps the U+FEFF that a text begins with", async () => {
    const channel = `${server.url}/v1/stream/${freshName()}`;
    await fetch(channel, { method: "PUT", headers: { "content-type": "text/plain" } });
    for (const text of ["\ufeffzwölf", "\ufeff\ufeff", "\ufeff"]) await publishWithClient(channel, text, { contentType: "text/plain" });
    await finish(channel);
    expect(dataOf(await takeAll(subscribe<string>(channel, only))).join("")).toBe("\ufeffzwölf\ufeff\ufeff\ufeff");
    const json = freshChannel();
    await publishWithClient(json, "\ufeffzwölf");
    expect(dataOf(await take(subscribe(json, only), 1))).toEqual(["\ufeffzwölf"]);
  });

  test("fails for good on what the server refuses", async () => {
    const subscription = subscribe(`${server.url}/feed/-bad`, only);
    await expect(takeAll(subscription)).rejects.toMatchObject({ name: "TidewireError", code: "channel-name-invalid", status: 400, retryable: false });
    expect(subscription.state).toBe("failed");
  });

  test("ends quietly by a signal, also with events still waiting", async () => {
    const channel = freshChannel();
    await publishAll(channel, numbers(1, 10));
    const abort = new AbortController();
    const subscription = subscribe(channel, { ...only, signal: abort.signal });
    const got: unknown[] = [];
    for await (const { data } of subscription) {
      got.push(data);
      abort.abort();
    }
    expect(got).toEqual([1]);
    expect(subscription.state).toBe("closed");
  });
});

describe("falling back", () => {
  test("uses the first transport where nothing hinders it", async () => {
    const subscription = subscribe(freshChannel());
    onTestFinished(() => subscription.close());
    await eventually("it is live", () => subscription.state === "live");
    expect(subscription.transport).toBe(offers("websocket") ? "websocket" : "sse");
  });

  test("continues over SSE where upgrades are refused", async () => {
    const channel = freshChannel();
    const name = new URL(channel).pathname;
    const box = await Middlebox.start(server.url);
    const states: [State, Transport][] = [];
    const got: unknown[] = [];
    const subscription = subscribe(`${box.url}${name}`, { ...FAST, onEvent: ({ data }) => got.push(data), onState: (...state) => states.push(state) });
    onTestFinished(() => subscription.close());

    await publishAll(channel, numbers(1, 3));
    await eventually("the history", () => got.length === 3);
    expect(subscription.transport).toBe("sse");
    expect(box.upgrades).toBe(1);
    expect(states).toEqual([["connecting", "websocket"], ["connecting", "sse"], ["live", "sse"]]);
  });

  test("leaves SSE after three streams that ended within a second", async () => {
    const channel = freshChannel();
    const box = await Middlebox.start(server.url, true);
    await publishAll(channel, numbers(1, 3));
    const subscription = subscribe(`${box.url}${new URL(channel).pathname}`, FAST);
    const events = take(subscription, 5);
    await eventually("another transport", () => subscription.state === "live" && subscription.transport === "long-poll");
    await publish(channel, 4);
    await publish(channel, 5);
    expect(dataOf(await events)).toEqual(numbers(1, 5));
    expect(box).toMatchObject({ upgrades: 1, streams: 3 });
  });

  test("keeps its offset when a transport that worked stops to", async () => {
    const channel = freshChannel();
    const box = await Middlebox.start(server.url);
    const got: unknown[] = [];
    const subscription = subscribe(`${box.url}${new URL(channel).pathname}`, { ...FAST, onEvent: ({ data }) => got.push(data) });
    onTestFinished(() => subscription.close());
    await publishAll(channel, numbers(1, 3));
    await eventually("three events over SSE", () => got.length === 3);
    box.endsSse = true;
    box.endStreams();
    await eventually("long polls", () => subscription.state === "live" && subscription.transport === "long-poll");
    await publishAll(channel, numbers(4, 6));
    await eventually("three more", () => got.length >= 6);
    expect(got).toEqual(numbers(1, 6));
    expect(box.streams).toBe(3);
  });

  test("leaves out the WebSocket where it has a token to send, and sends it with each request", async () => {
    const channel = freshChannel();
    await publish(channel, 1);
    await finish(channel);
    const seen = new Set<string | undefined>();
    const base = await serve((asked, answer) => {
      seen.add(asked.headers.authorization);
      answer.writeHead(307, { location: new URL(asked.url!, server.url).href }).end();
    });
    let count = 0;
    const token = async () => `t${(count += 1)}`;
    expect(dataOf(await takeAll(subscribe(`${base}${new URL(channel).pathname}`, { token })))).toEqual([1]);
    expect(count).toBeGreaterThan(1);
    expect([...seen]).toEqual(numbers(1, count).map((number) => `Bearer t${number}`));
  });
});

describe("hooks", () => {
  test("tell states and errors, and an exception in one of them keeps nothing from being delivered", async () => {
    const channel = freshChannel();
    await publishAll(channel, numbers(1, 3));
    await finish(channel);
    const uncaught: unknown[] = [];
    // Vitest would fail on it.
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException").on("uncaughtException", (error) => uncaught.push(error));
    onTestFinished(() => {
      process.removeAllListeners("uncaughtException");
      for (const listener of listeners) process.on("uncaughtException", listener);
    });
    const got: unknown[] = [];
    const states: State[] = [];
    const thrown = new Error("of the application");
    subscribe(channel, {
      transports: ["sse"],
      onEvent: ({ data }) => {
        got.push(data);
        throw thrown;
      },
      onState: (state) => states.push(state),
      backoff: FAST.backoff,
    });
    await eventually("the end", () => states.includes("finished"));
    expect(got).toEqual([1, 2, 3]);
    expect(uncaught).toEqual([thrown, thrown, thrown]);
  });

  test("give an error that trying again does not mend once, and no other state after it", async () => {
    const errors: TidewireError[] = [];
    const states: State[] = [];
    subscribe(`${server.url}/v1/stream/${freshName()}`, { transports: ["poll"], onError: (error) => errors.push(error), onState: (state) => states.push(state) });
    await eventually("the failure", () => states.includes("failed"));
    expect(errors).toMatchObject([{ code: "channel-not-found", status: 404, retryable: false }]);
    expect(states).toEqual(["connecting", "failed"]);
  });

  test("may close the subscription in the middle of a page", async () => {
    const channel = freshChannel();
    await publishAll(channel, numbers(1, 10));
    const got: unknown[] = [];
    const subscription = subscribe(channel, {
      transports: ["poll"],
      onEvent: ({ data }) => {
        got.push(data);
        if (data === 4) subscription.close();
      },
    });
    await eventually("the end", () => subscription.state === "closed");
    expect(got).toEqual(numbers(1, 4));
  });
});
