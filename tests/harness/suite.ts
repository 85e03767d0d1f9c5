// The needs of every suite: a server, a fresh channel name, and a way to publish.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { Server } from "./server.ts";
import { COMMON } from "./shared.ts";

/** Set when the suites run against a server that they do not control. */
export const BASE_URL = process.env.TIDEWIRE_BASE_URL?.replace(/\/$/, "") || undefined;

/** For suites that restart their server, evict objects, read its log or need other limits. */
export const describeOwnServer = BASE_URL
  ? (title: string, suite: () => void) => describe.skip(`${title} (skipped: needs a server of its own, not TIDEWIRE_BASE_URL)`, suite)
  : describe;

/** The server under test: the one named by TIDEWIRE_BASE_URL, or one that all such files share. Its channels are open; a test takes fresh names. */
export function useServer(): { readonly url: string } {
  const url = BASE_URL ?? process.env.TIDEWIRE_SHARED_URL;
  if (!url) throw new Error("no server was started before the suites: harness/shared.ts does it");
  return { url };
}

/** A server started for this block with these variables and ended after it, also when a test fails. */
export function useOwnServer(name: string, vars: Record<string, string> = {}, manifest?: string): Server {
  let server: Server | undefined;
  beforeAll(async () => {
    server = await Server.start({ name, vars: { ...COMMON, ...vars }, manifest });
  });
  afterAll(() => server?.stop());
  // The server starts after the suite was collected; until then this is in its place.
  return new Proxy({} as Server, {
    get: (_, member) => {
      if (!server) throw new Error("the server is used before it was started");
      const value = Reflect.get(server, member, server) as unknown;
      return typeof value === "function" ? value.bind(server) : value;
    },
  });
}

/** The offset of a reader that found no channel: before the first event of the one that is made next. */
export const ABSENT = "000000000000_1fffffffffffff";

/** A name nobody used before; `demo-` channels are open on every deployment. */
export function freshName(): string {
  return `demo-test-${randomUUID()}`;
}

/** Publishes one event and returns its offset. */
export async function publish(channel: string, data: unknown, ticket?: string): Promise<string> {
  return publishAll(channel, [data], ticket);
}

/** Publishes a batch and returns the offset of its last event. */
export async function publishAll(channel: string, batch: unknown[], ticket?: string): Promise<string> {
  const answer = await fetch(channel, {
    method: "POST",
    headers: { "content-type": "application/json", ...(ticket && { authorization: `Bearer ${ticket}` }) },
    body: JSON.stringify(batch),
  });
  expect(answer.status, await answer.text()).toBe(204);
  return header(answer, "stream-next-offset");
}

/** The offset of the newest event, or `undefined` where the channel does not exist. */
export async function head(channel: string): Promise<string | undefined> {
  const answer = await fetch(channel, { method: "HEAD" });
  return answer.status === 404 ? undefined : header(answer, "stream-next-offset");
}

/** The value of a header that has to be there. */
export function header(answer: Response, name: string): string {
  const value = answer.headers.get(name);
  expect(value, `header ${name}`).not.toBeNull();
  return value!;
}

/** `from`, `from + 1`, ... up to and with `to`. */
export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
