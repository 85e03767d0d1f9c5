// Which addresses the client takes, and what it tries there.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { publish, publisher, subscribe, type SubscribeOptions } from "../../shared/client/src/index.ts";
import { FakeSocket } from "./fake-socket.ts";

const requested: string[] = [];

beforeEach(() => {
  FakeSocket.all = [];
  requested.length = 0;
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("fetch", (url: URL) => {
    requested.push(url.href);
    return new Promise(() => {});
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each([
  "ws://channel.test/x",
  "wss://channel.test/x",
  "ftp://channel.test/x",
  "file:///x",
  "http://ann:s3cret@channel.test/x",
  "http://ann@channel.test/x",
  "http://:s3cret@channel.test/x",
  "http://channel.test/x#part",
  "http://channel.test/x?a=1#",
])("%s is thrown at once, with what is wrong and without what is secret", async (url) => {
  const message = "an address is http: or https:, for a WebSocket too, without user, password and #fragment";
  const errors = [() => subscribe(url), () => subscribe(new URL(url), { ticket: () => "t" }), () => publisher(url)].map((use) => {
    try {
      use();
    } catch (error) {
      return error;
    }
    return undefined;
  });
  errors.push(await publish(url, 1).catch((error: unknown) => error));
  for (const error of errors) {
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe(message);
  }
  expect([requested, FakeSocket.all]).toEqual([[], []]);
});

test.each(["nowhere", "//channel.test/x", ""])("%j is not an address without a page", async (url) => {
  expect(() => subscribe(url)).toThrow(TypeError);
  await expect(publish(url, 1)).rejects.toThrow(TypeError);
});

test.each(["http://channel.test/x", "https://channel.test:8443/a/team:1@b?ticket=a@b/c", "HTTP://CHANNEL.test/x"])("%s is an address", async (url) => {
  const subscription = subscribe(url);
  await vi.waitFor(() => expect(FakeSocket.all).toHaveLength(1));
  expect(FakeSocket.all[0]!.url).toMatch(/^wss?:\/\/channel\.test/);
  subscription.close();
});

/** A page of this server, which says that it offers so much. */
function openPage(offer: string | undefined): void {
  vi.stubGlobal("location", new URL("https://live.test/feed/?channel=x"));
  const meta = offer === undefined ? null : { content: offer };
  vi.stubGlobal("document", { querySelector: (selector: string) => (selector === "meta[name=tidewire-transports]" ? meta : null), addEventListener: () => {} });
}

/** The transport that a subscription tries first. */
async function firstTry(url: string, options: SubscribeOptions = {}): Promise<string> {
  const subscription = subscribe(url, options);
  await vi.waitFor(() => expect(requested.length + FakeSocket.all.length).toBe(1));
  subscription.close();
  return subscription.transport;
}

test("a transport that the server of the page does not offer is not tried there", async () => {
  openPage("sse long-poll poll");
  expect(await firstTry("demo-x")).toBe("sse");
  expect(requested[0]).toMatch(/^https:\/\/live\.test\/feed\/demo-x\?/);
});

test("nor when the application names it, as long as another is left", async () => {
  openPage("sse long-poll poll");
  expect(await firstTry("demo-x", { transports: ["websocket", "long-poll"] })).toBe("long-poll");
  expect(() => subscribe("demo-x", { transports: ["websocket"] })).toThrow("a subscription needs a transport that the server offers");
  openPage("sse long-poll");
  expect(() => subscribe("demo-x", { transports: ["poll"] })).toThrow(TypeError);
});

test("nor a WebSocket, which cannot carry a token", async () => {
  openPage("websocket sse long-poll poll");
  expect(await firstTry("demo-x", { transports: ["websocket", "long-poll"], token: () => "t" })).toBe("long-poll");
  expect(() => subscribe("demo-x", { transports: ["websocket"], token: () => "t" })).toThrow(TypeError);
});

test("the offer is that of the page's own server alone", async () => {
  openPage("sse long-poll poll");
  expect(await firstTry("https://other.test/feed/demo-x")).toBe("websocket");
});

test("a page that says nothing offers all", async () => {
  openPage(undefined);
  expect(await firstTry("demo-x")).toBe("websocket");
});
