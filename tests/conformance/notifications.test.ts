// A user's notifications over the wire, folded by the page's own Inbox.

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createParser } from "eventsource-parser";
import { expect, onTestFinished, test } from "vitest";
import type { InboxEvent } from "../../functions/notifications/public/notifications.d.ts";
import { eventually } from "../harness/eventually.ts";
import { freshKey, mint, ticketKeys, type Claims } from "../harness/ticket.ts";
import { describeOwnServer, freshName, publish, publishAll, useOwnServer, useServer } from "../harness/suite.ts";

/** As inbox.js has it: a page's script, which is checked with the pages. */
interface Inbox {
  take(event: InboxEvent, offset: string): void;
  readonly notifications: { id: string; isRead: boolean }[];
  readonly unread: number;
}
const { Inbox } = (await import(String(new URL("../../functions/notifications/public/inbox.js", import.meta.url)))) as { Inbox: new () => Inbox };

const server = useServer();
const README = readFileSync(new URL("../../functions/notifications/README.md", import.meta.url), "utf8");

let count = 0;
const notification = (id = `n${++count}`, at = 1): Extract<InboxEvent, { type: "notification" }> => ({ type: "notification", id, title: `About ${id}`, body: "", at });

/** A tab: an inbox, and the offset it has read up to. */
class Tab {
  readonly inbox = new Inbox();
  readonly #channel: string;
  #offset = "-1";

  constructor(channel: string) {
    this.#channel = channel;
  }

  /** Connects as an EventSource does that comes back, until what it shows is as expected. */
  async sees(unread: string[], read: string[] = []): Promise<void> {
    const abort = new AbortController();
    const headers = { accept: "text/event-stream", ...(this.#offset !== "-1" && { "last-event-id": this.#offset }) };
    const { body } = await fetch(this.#channel, { headers, signal: abort.signal });
    const parser = createParser({
      onEvent: ({ id, data }) => {
        this.#offset = id!;
        this.inbox.take(JSON.parse(data) as InboxEvent, id!);
      },
    });
    void (async () => {
      for await (const chunk of body!.pipeThrough(new TextDecoderStream())) parser.feed(chunk);
    })().catch(() => {});
    const ids = (isRead: boolean) => this.inbox.notifications.filter((one) => one.isRead === isRead).map(({ id }) => id);
    try {
      await expect.poll(() => [ids(false), ids(true)], { timeout: 20_000 }).toEqual([unread, read]);
    } finally {
      abort.abort();
    }
    expect(this.inbox.unread).toBe(unread.length);
  }
}

test("a tab that comes back hears what came, and what another tab read meanwhile", async () => {
  const user = `${server.url}/notifications/${freshName()}`;
  const [away, here] = [new Tab(user), new Tab(user)];
  const offset = await publish(user, notification("a"));
  await publish(user, notification("b"));
  await away.sees(["b", "a"]);
  await publish(user, { type: "read", offset });
  await publish(user, notification("c"));
  await here.sees(["c", "b"], ["a"]);
  await away.sees(["c", "b"], ["a"]);
});

test("all is read up to what somebody saw, not what came while the finger was on its way", async () => {
  const user = `${server.url}/notifications/${freshName()}`;
  const seen = await publishAll(user, [notification("a"), notification("b")]);
  await publish(user, notification("c"));
  await publish(user, { type: "read-all", upTo: seen });
  await new Tab(user).sees(["c"], ["b", "a"]);
});

test("what is sent again is shown once, and what is later replaces and is unread again", async () => {
  const user = `${server.url}/notifications/${freshName()}`;
  const tab = new Tab(user);
  const offset = await publish(user, notification("room", 5));
  await publish(user, { type: "read", offset });
  await publish(user, notification("other"));
  await publish(user, notification("room", 5));
  await publish(user, notification("room", 4));
  await tab.sees(["other"], ["room"]);
  await publish(user, notification("room", 6));
  await tab.sees(["room", "other"]);
  // Of the earlier one: somebody looked before the later one came.
  await publish(user, { type: "read", offset });
  await publish(user, notification("end"));
  await tab.sees(["end", "room", "other"]);
});

test("the oldest are dropped, and nothing becomes unread by it", async () => {
  const user = `${server.url}/notifications/${freshName()}`;
  const first = Array.from({ length: 300 }, () => notification());
  const upTo = await publishAll(user, first);
  await publish(user, { type: "read-all", upTo });
  const second = Array.from({ length: 300 }, () => notification());
  await publishAll(user, second);
  const ids = (some: { id: string }[]) => some.map(({ id }) => id).reverse();
  await new Tab(user).sees(ids(second), ids(first.slice(-199)));
});

test("what is no event of a user's channel is refused, alone and in a batch", async () => {
  const user = `${server.url}/notifications/${freshName()}`;
  for (const body of [{ hello: 1 }, [notification(), { ...notification(), url: "javascript:alert(1)" }], { type: "read", offset: "now" }]) {
    const answer = await fetch(user, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ type: "urn:tidewire:event-refused" });
  }
  expect(await (await fetch(user)).json()).toEqual([]);
});

test("the loop of the README notifies a group over a server that fails now and then", async () => {
  const code = [...README.matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block!).find((block) => block.includes("function notify"))!;
  const notify = new Function(`${code}; return notify;`)() as (base: string, members: string[], notification: unknown) => Promise<void>;
  const names = ["ann", "bo", "cleo"].map((name) => `${name}-${freshName()}`);
  // `demo-` for `user-`, so that the test needs no ticket, and each first answer is lost after the server took the notification.
  let lost = 0;
  const seen = new Set<string>();
  const flaky = createServer(async (asked, answer) => {
    const name = asked.url!.replace("/user-", "");
    const body = (await asked.toArray()).join("");
    const answered = await fetch(`${server.url}/notifications/demo-${name}`, { method: "POST", headers: { "content-type": "application/json" }, body });
    if (seen.has(name)) return answer.writeHead(answered.status).end();
    seen.add(name);
    lost += 1;
    return lost % 2 ? asked.socket.destroy() : answer.writeHead(503).end();
  });
  flaky.listen(0, "127.0.0.1");
  await once(flaky, "listening");
  onTestFinished(() => void flaky.close());
  await notify(`http://127.0.0.1:${(flaky.address() as AddressInfo).port}`, names, { id: "n1", title: "Lunch" });
  expect(lost).toBe(3);
  for (const name of names) await new Tab(`${server.url}/notifications/demo-${name}`).sees(["n1"]);
});

describeOwnServer("notifications on a server of their own", () => {
  const own = useOwnServer("notifications-own");

  test("outlive their server, and so do the marks", async () => {
    const user = `${own.url}/notifications/${freshName()}`;
    const tab = new Tab(user);
    const offset = await publish(user, notification("a"));
    await publish(user, notification("b"));
    await publish(user, { type: "read", offset });
    await tab.sees(["b"], ["a"]);
    await own.kill9();
    await own.restart();
    await publish(user, notification("c"));
    await tab.sees(["c", "b"], ["a"]);
    await eventually("a new tab shows the same", async () => {
      await new Tab(user).sees(["c", "b"], ["a"]);
      return true;
    });
  });
});

describeOwnServer("notifications of users with tickets", () => {
  const key = freshKey();
  const own = useOwnServer("notifications-tickets", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(key) });
  const ask = async (method: "GET" | "POST", user: string, headers: Record<string, string>, event?: InboxEvent) => {
    const body = event && JSON.stringify(event);
    const answer = await fetch(`${own.url}/notifications/${user}`, { method, headers: { "content-type": "application/json", ...headers }, ...(body && { body }) });
    await answer.arrayBuffer();
    return { status: answer.status, offset: answer.headers.get("stream-next-offset")! };
  };
  const ticket = (claims: Pick<Claims, "ch" | "rights">) => mint(key, { aud: "notifications", ...claims });

  test("a backend notifies everyone, a user reads and marks what is theirs, and nobody else does", async () => {
    const backend = { authorization: `Bearer ${ticket({ ch: "user-*", rights: ["publish"] })}` };
    const ann = { cookie: `tidewire-ticket=${ticket({ ch: "user-ann", rights: ["read", "publish"] })}`, "sec-fetch-site": "same-origin" };
    const { status, offset } = await ask("POST", "user-ann", backend, notification("a"));
    expect(status).toBe(204);
    expect((await ask("POST", "user-bo", backend, notification("a"))).status).toBe(204);
    expect((await ask("GET", "user-ann", ann)).status).toBe(200);
    expect((await ask("POST", "user-ann", ann, { type: "read", offset })).status).toBe(204);
    expect((await ask("GET", "user-ann", backend)).status).toBe(403);
    expect((await ask("GET", "user-bo", ann)).status).toBe(403);
    expect((await ask("POST", "user-bo", ann, notification("a"))).status).toBe(403);
    expect((await ask("GET", "user-ann", {})).status).toBe(401);
  });
});
