// The chat page in a real browser: people in tabs enter, write, disconnect and return.

import type { Page } from "playwright-core";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { moduleOf, useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { offers } from "../harness/platform.ts";
import { freshProviderKey, Provider } from "../harness/provider.ts";
import { Proxy } from "../harness/proxy.ts";
import { describeOwnServer, freshName, useOwnServer, useServer } from "../harness/suite.ts";
import { freshKey, inSeconds, mint, ticketKeys } from "../harness/ticket.ts";

const browser = useBrowser();

/** Somebody in a room, by what the page shows. */
class Person {
  readonly page: Page;
  readonly errors: string[];

  constructor(page: Page, errors: string[] = []) {
    this.page = page;
    this.errors = errors;
  }

  /** Enters, under a name of their own. */
  static async enter(room: string, name?: string, prepare?: (page: Page) => Promise<void>): Promise<Person> {
    const { page, errors } = await browser.open(room, prepare);
    const person = new Person(page, errors);
    await person.isLive();
    if (name) await person.rename(name);
    return person;
  }

  async isLive(): Promise<void> {
    await eventually("the page is live", async () => (await this.state()) === "live");
  }

  state(): Promise<string | null> {
    return this.page.getAttribute('[data-role="state"]', "data-state");
  }

  async rename(name: string): Promise<void> {
    await this.page.fill('[data-role="name"]', name);
    await this.page.press('[data-role="name"]', "Enter");
    await eventually(`${name} is here`, async () => (await this.people()).includes(`${name} (you)`));
  }

  /** Writes a message as it is, which may have several lines, and sends it. */
  async say(text: string): Promise<void> {
    await this.page.fill('[data-role="text"]', text);
    await this.page.press('[data-role="text"]', "Enter");
  }

  /** Goes on with what is in the field until the other page shows it, as that a name types: nobody sees it for longer than three seconds after a key. */
  async types(reader: Person, name: string): Promise<void> {
    await eventually(`${name} is seen to type`, async () => {
      await this.page.dispatchEvent('[data-role="text"]', "input");
      return (await reader.page.innerText('[data-role="typing"]')) === `${name} is typing…`;
    });
  }

  people(): Promise<string[]> {
    return this.page.locator('[data-role="people"] li').allTextContents();
  }

  /** The messages that the room has, in order. */
  texts(): Promise<string[]> {
    return this.page.locator('[data-role="messages"] .text').allTextContents();
  }

  async sees(...texts: string[]): Promise<void> {
    await expect.poll(() => this.texts(), { timeout: 60_000 }).toEqual(texts);
  }

  /** The note beside the message with this text: sent, sending, or the refusal. */
  row(text: string) {
    return this.page.locator(".log li", { has: this.page.locator(".text", { hasText: text }) });
  }

  async status(text: string, expected: RegExp): Promise<void> {
    await eventually(`${text}: ${expected}`, async () => expected.test(await this.row(text).locator(".status").innerText()));
  }

  async delete(text: string): Promise<void> {
    await this.row(text).hover();
    await this.row(text).locator('[data-action="delete"]').click();
  }

  /** Nothing went wrong in the page. */
  isClean(): void {
    expect(this.errors).toEqual([]);
  }
}

/** A page that no WebSocket gets out of. */
async function withoutWebSocket(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.WebSocket = class extends WebSocket {
      constructor() {
        super("ws://127.0.0.1:1/");
      }
    };
  });
}

describe("the chat page", () => {
  const server = useServer();
  const freshRoom = () => `${server.url}/chat/#${freshName()}`;

  test("two people talk, see each other, and see each other type", async () => {
    const room = freshRoom();
    const ann = await Person.enter(room, "Ann");
    const bo = await Person.enter(room, "Bo");
    await eventually("Ann sees Bo", async () => (await ann.people()).includes("Bo"));
    await expect.poll(() => bo.people()).toEqual(["Bo (you)", "Ann"]);
    await expect.poll(() => ann.page.innerText('[data-role="state"]')).toBe(offers("websocket") ? "live over WebSocket" : "live over SSE");

    await ann.page.fill('[data-role="text"]', "Hello");
    await ann.types(bo, "Ann");
    expect(await ann.page.innerText('[data-role="typing"]')).toBe("");
    await eventually("Ann has stopped", async () => (await bo.page.innerText('[data-role="typing"]')) === "");

    await ann.page.press('[data-role="text"]', "Enter");
    await ann.status("Hello", /^sent$/);
    await bo.sees("Hello");
    await bo.page.fill('[data-role="text"]', "Hi,");
    await bo.page.press('[data-role="text"]', "Shift+Enter");
    await bo.page.locator('[data-role="text"]').pressSequentially("Ann");
    await bo.types(ann, "Bo");
    await bo.page.press('[data-role="text"]', "Enter");
    await ann.sees("Hello", "Hi,\nAnn");
    await eventually("sending ends the typing", async () => (await ann.page.innerText('[data-role="typing"]')) === "");

    const late = await Person.enter(room);
    await late.sees("Hello", "Hi,\nAnn");
    await expect.poll(() => late.page.locator(".by b").allTextContents()).toEqual(["Ann", "Bo"]);
    for (const person of [ann, bo, late]) person.isClean();
  });

  test("a closed tab leaves the room, and a reloaded tab keeps its identity", async () => {
    const room = freshRoom();
    const ann = await Person.enter(room, "Ann");
    const bo = await Person.enter(room, "Bo");
    await eventually("Ann sees Bo", async () => (await ann.people()).includes("Bo"));
    await bo.page.reload();
    await bo.isLive();
    await eventually("Bo is back, once", async () => (await ann.people()).join() === "Ann (you),Bo");
    await bo.page.close({ runBeforeUnload: true });
    await eventually("Bo is gone", async () => (await ann.people()).join() === "Ann (you)");
  });

  test("where no WebSocket gets through, SSE does the same", async () => {
    const room = freshRoom();
    const ann = await Person.enter(room, "Ann", withoutWebSocket);
    const bo = await Person.enter(room, "Bo");
    await expect.poll(() => ann.page.innerText('[data-role="state"]')).toBe("live over SSE");
    await eventually("they see each other", async () => (await ann.people()).includes("Bo") && (await bo.people()).includes("Ann"));
    await ann.say("one");
    await bo.sees("one");
    await bo.say("two");
    await ann.sees("one", "two");
    await ann.page.fill('[data-role="text"]', "three");
    await ann.types(bo, "Ann");
    await ann.page.close({ runBeforeUnload: true });
    await eventually("Ann is gone", async () => (await bo.people()).join() === "Bo (you)");
  });

  test("a refused message says why, and can be changed and sent again", async () => {
    const ann = await Person.enter(freshRoom(), "Ann");
    await ann.say(`long ${"x".repeat(2_000)}`);
    await ann.status("long", /^Not sent: .*2,?000/);
    await ann.say("next");
    await ann.sees("next");
    await ann.row("long").locator('[data-action="edit"]').click();
    await expect.poll(() => ann.page.inputValue('[data-role="text"]')).toMatch(/^long x+$/);
    await ann.say("short");
    await ann.sees("next", "short");
  });

  test("a refusal without a text is shown by its code, after one request", async () => {
    const ann = await Person.enter(freshRoom(), "Ann");
    let sent = 0;
    await ann.page.route(/demo-test-/, async (route) => {
      if (route.request().method() !== "POST" || route.request().url().includes("/-/")) return route.fallback();
      sent += 1;
      await route.fulfill({ status: 400, body: JSON.stringify({ type: "urn:tidewire:event-refused", title: "", status: 400, detail: "" }) });
    });
    await ann.say("Hello");
    await ann.status("Hello", /^Not sent: event-refused$/);
    expect(sent).toBe(1);
  });

  test("continues to announce itself after an answer that cannot be read", async () => {
    const room = freshRoom();
    const ann = await Person.enter(room, "Ann", async (page) => {
      await withoutWebSocket(page);
      await page.clock.install();
    });
    const bo = await Person.enter(room, "Bo");
    await eventually("Bo sees Ann", async () => (await bo.people()).includes("Ann"));
    let isRead = false;
    await ann.page.route("**/-/presence/**", async (route) => {
      if (isRead) return route.fallback();
      isRead = true;
      await route.fulfill({ contentType: "text/html", body: "<p>Log in to the hotel</p>" });
    });
    await ann.page.clock.fastForward(16_000);
    await eventually("it has renewed", () => isRead);
    await ann.rename("Ann Lee");
    await eventually("Bo sees the new name", async () => (await bo.people()).includes("Ann Lee"));
  });

  test("an answer about who is here takes nobody away who came in the meantime", async () => {
    const room = freshRoom();
    const ann = await Person.enter(room, "Ann", async (page) => {
      await withoutWebSocket(page);
      await page.clock.install();
    });
    let answer: (() => void) | undefined;
    await ann.page.route("**/-/presence/**", async (route) => {
      if (answer) return route.fallback();
      const response = await route.fetch();
      await new Promise<void>((done) => (answer = done));
      await route.fulfill({ response });
    });
    await ann.page.clock.fastForward(16_000);
    await eventually("its renewal is answered", () => answer !== undefined);
    const cleo = JSON.stringify({ id: "cleo", state: { name: "Cleo", color: "#6b4fc4" } });
    await fetch(`${server.url}/chat/-/presence/${new URL(room).hash.slice(1)}`, { method: "POST", body: cleo });
    await eventually("Ann sees Cleo", async () => (await ann.people()).includes("Cleo"));
    answer!();
    // Sent once that answer was read.
    await ann.rename("Ann Lee");
    expect(await ann.people()).toEqual(["Ann Lee (you)", "Cleo"]);
  });

  test("a page that copies the mark of another page does not become that page", async () => {
    const room = freshRoom();
    const ann = await Person.enter(room, "Ann");
    const name = new URL(room).hash.slice(1);
    const idOfAnn = await ann.page.evaluate(() => (JSON.parse(sessionStorage.getItem("tidewire-chat me")!) as { id: string }).id);
    const present = async (id: string, state: unknown) => {
      const answer = await fetch(`${server.url}/chat/-/presence/${name}`, { method: "POST", body: JSON.stringify({ id, state }) });
      return ((await answer.json()) as { members: { id: string; state: { tab: string } }[] }).members;
    };
    const bo = { name: "Bo", color: "#6b4fc4" };
    const { tab } = (await present("bo", bo)).find(({ id }) => id === idOfAnn)!.state;
    await present("bo", { ...bo, tab });
    await present(idOfAnn, null);
    await present("cleo", { name: "Cleo", color: "#6b4fc4" });
    await eventually("Ann knows who she is", async () => (await ann.people()).join() === "Ann (you),Bo,Cleo");
    await expect.poll(() => ann.page.evaluate(() => (JSON.parse(sessionStorage.getItem("tidewire-chat me")!) as { id: string }).id)).toBe(idOfAnn);
  });

  test("a page that writes too fast says so, and sends the refused messages again", async () => {
    const ann = await Person.enter(freshRoom(), "Ann");
    const bo = await Person.enter(ann.page.url());
    const said = Array.from({ length: 22 }, (_, index) => `message ${index}.`);
    // Typed offline, so that they leave together: by hand a slow machine never writes too fast.
    await ann.page.context().setOffline(true);
    for (const text of said) await ann.say(text);
    await ann.page.context().setOffline(false);
    const failed = ann.page.locator('li[data-state="failed"]');
    await eventually("the room is tired of it", async () => (await failed.count()) > 0 && (await ann.page.locator('li[data-state="pending"]').count()) === 0, 60_000);
    await expect.poll(() => failed.first().locator(".status").innerText()).toMatch(/^Not sent: /);
    await eventually(
      "all is sent",
      async () => {
        if ((await ann.page.locator('li[data-state="pending"]').count()) > 0) return false;
        if ((await failed.count()) > 0) await failed.first().locator('[data-action="again"]').click();
        return (await bo.texts()).length >= said.length;
      },
      60_000,
    );
    expect((await bo.texts()).sort()).toEqual(said.sort());
  });

  test("a deleted message is gone for everyone, also after a reload, and only its author is offered to delete it", async () => {
    const room = freshRoom();
    const ann = await Person.enter(room, "Ann");
    const bo = await Person.enter(room, "Bo");
    await ann.say("first");
    await ann.say("second");
    await bo.sees("first", "second");
    await expect.poll(() => bo.page.locator('[data-action="delete"]:visible').count()).toBe(0);
    await ann.delete("second");
    await bo.sees("first", "Message deleted");
    await ann.sees("first", "Message deleted");
    // A later epoch of the same tab: what it wrote before is still its own.
    await ann.page.reload();
    await ann.sees("first", "Message deleted");
    await ann.delete("first");
    await bo.sees("Message deleted", "Message deleted");
    await bo.page.reload();
    await bo.sees("Message deleted", "Message deleted");
    for (const person of [ann, bo]) person.isClean();
  });

  test("text, names and rooms are shown as text, never run", async () => {
    const markup = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    const room = freshRoom();
    const ann = await Person.enter(room, '<b onclick="1">Ann</b>');
    await ann.say(markup);
    await ann.say("W".repeat(400));
    await ann.say("👩‍👩‍👧‍👦".repeat(60));
    const bo = await Person.enter(room, "👩‍🚀 Bo");
    await bo.sees(markup, "W".repeat(400), "👩‍👩‍👧‍👦".repeat(60));
    await bo.page.setViewportSize({ width: 320, height: 480 });
    await expect.poll(() => bo.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
    await expect.poll(() => bo.page.locator(".log img, .log script, aside li b").count()).toBe(0);
    await expect.poll(() => bo.page.title()).toContain("demo-test-");
    for (const person of [ann, bo]) person.isClean();
  });

  test("a message that waits outlives a reload and is sent once", async () => {
    const ann = await Person.enter(freshRoom(), "Ann");
    await ann.say("before");
    await ann.sees("before");
    // The room takes it, the answer is lost.
    await ann.page.route(/demo-test-/, async (route) => {
      if (route.request().method() === "POST" && !route.request().url().includes("/-/")) await route.fetch();
      else return route.fallback();
      // The reload may have ended it already.
      await route.abort().catch(() => {});
    });
    await ann.say("waits");
    await ann.sees("before", "waits");
    await ann.page.unroute(/demo-test-/);
    await ann.page.reload();
    await ann.say("after");
    await ann.sees("before", "waits", "after");
    await ann.status("after", /^sent$/);
    await expect.poll(() => ann.page.locator('[data-role="pending"] li').count()).toBe(0);
  });

  test("a duplicated tab begins with a copy of the store, and neither tab loses a message", async () => {
    const ann = await Person.enter(freshRoom(), "Ann");
    await ann.say("one");
    await ann.sees("one");
    const [opened] = await Promise.all([ann.page.waitForEvent("popup"), ann.page.evaluate(() => void window.open(location.href))]);
    const copy = new Person(opened);
    await copy.isLive();
    await copy.say("two");
    await ann.sees("one", "two");
    await ann.say("three");
    await copy.sees("one", "two", "three");
    await copy.say("four");
    await ann.sees("one", "two", "three", "four");
  });

  test("acknowledges a long history while it reads it, keeps the newest, and says when a room is closed", async () => {
    const frames: { type: string; offset?: string }[] = [];
    let close: () => void;
    const ann = await Person.enter(freshRoom(), undefined, async (page) => {
      // A server by hand: the page alone is looked at, on every platform. This server has a WebSocket to offer.
      await page.addInitScript(() => document.addEventListener("readystatechange", () => document.querySelector("meta[name=tidewire-transports]")?.remove()));
      await page.routeWebSocket(/demo-test-/, (socket) => {
        const tell = (frame: unknown) => socket.send(JSON.stringify(frame));
        tell({ type: "hello", protocol: "tidewire.v1", offset: "-1", contentType: "application/json", ackBytes: 10_000 });
        for (let first = 0; first <= 1_000; first += 100) {
          const events = Array.from({ length: first === 1_000 ? 1 : 100 }, (_, index) => {
            const from = { id: "bo", name: "Bo", color: "#6b4fc4" };
            return { offset: `o${first + index}`, data: { type: "message", id: `m${first + index}`, from, text: `message ${first + index}.`, at: 0 } };
          });
          tell({ type: "events", events, upToDate: first === 1_000 });
        }
        socket.onMessage((data) => {
          if (data !== "ping") frames.push(JSON.parse(String(data)) as (typeof frames)[number]);
          if (data === "ping") socket.send("pong");
        });
        close = () => tell({ type: "closed", offset: "o1000" });
      });
    });
    await ann.row("message 1000.").waitFor({ state: "visible" });
    const texts = await ann.texts();
    expect([texts.length, texts.at(0)]).toEqual([1_000, "message 1."]);
    const acknowledged = () => frames.filter(({ type }) => type === "ack").map(({ offset }) => offset);
    await expect.poll(acknowledged).toEqual(Array.from({ length: 10 }, (_, page) => `o${100 * page + 99}`));
    close!();
    await eventually("the room is closed", async () => (await ann.state()) === "finished");
    await expect.poll(() => ann.page.innerText('[data-role="notice"]')).toMatch(/closed/);
    await expect.poll(() => ann.page.isDisabled('[data-role="text"]')).toBe(true);
  });

  test("a message that is acknowledged after a thousand others came does not stop those that follow", async () => {
    const ann = await Person.enter(freshRoom());
    let acknowledge: (() => void) | undefined;
    await ann.page.route(/demo-test-/, async (route) => {
      if (acknowledge || route.request().method() !== "POST" || route.request().url().includes("/-/")) return route.fallback();
      const response = await route.fetch();
      await new Promise<void>((done) => (acknowledge = done));
      await route.fulfill({ response });
    });
    await ann.say("first.");
    await eventually("it is stored", () => acknowledge !== undefined);
    await ann.sees("first.");
    await (await moduleOf(ann.page, `${server.url}/chat/-/messages.js`)).evaluate(({ event }) => {
      for (let index = 0; index < 1_000; index++) event({ type: "message", id: `other ${index}`, from: { id: "bo", name: "Bo" }, text: `other ${index}.`, at: 0 }, `o${index}`);
    });
    await expect.poll(() => ann.row("first.").count()).toBe(0);
    acknowledge!();
    await ann.say("second.");
    await ann.status("second.", /^sent$/);
    ann.isClean();
  });

  test("leaves room to write on a phone whose keyboard is open", async () => {
    const ann = await Person.enter(freshRoom(), "Ann Lee");
    await ann.page.setViewportSize({ width: 390, height: 420 });
    const bottom = () => ann.page.locator('[data-role="composer"]').evaluate((composer) => composer.getBoundingClientRect().bottom);
    await expect.poll(bottom).toBeLessThanOrEqual(420);
  });
});

describeOwnServer("the chat page on a server of its own", () => {
  const server = useOwnServer("browser-chat-own", { PRESENCE_LEASE_MS: "20000" });

  async function throughProxy(): Promise<{ proxy: Proxy; room: string; direct: string }> {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const name = freshName();
    return { proxy, room: `${proxy.url}/chat/#${name}`, direct: `${server.url}/chat/#${name}` };
  }

  test("a killed tab leaves the room", async () => {
    const { direct } = await throughProxy();
    const ann = await Person.enter(direct, "Ann");
    const bo = await Person.enter(direct, "Bo");
    await eventually("Ann sees Bo", async () => (await ann.people()).includes("Bo"));
    const devtools = await bo.page.context().newCDPSession(bo.page);
    // The tab dies before it can answer.
    void devtools.send("Page.crash").catch(() => {});
    await eventually("Bo is gone", async () => (await ann.people()).join() === "Ann (you)", 60_000);
  });

  test("a message that is written while the network is cut waits, and arrives once", async () => {
    const { proxy, room, direct } = await throughProxy();
    const ann = await Person.enter(room, "Ann");
    const bo = await Person.enter(direct, "Bo");
    await ann.say("before");
    await bo.sees("before");
    await ann.page.context().setOffline(true);
    proxy.cut();
    await eventually("Ann sees the break", async () => (await ann.state()) === "reconnecting");
    await ann.say("meanwhile");
    await ann.status("meanwhile", /sending/);
    await bo.say("and you?");
    await bo.sees("before", "and you?");
    await ann.page.context().setOffline(false);
    await bo.sees("before", "and you?", "meanwhile");
    await ann.sees("before", "and you?", "meanwhile");
    await ann.status("meanwhile", /^sent$/);
    await ann.say("after");
    await bo.sees("before", "and you?", "meanwhile", "after");
    await ann.sees("before", "and you?", "meanwhile", "after");
  });

  test("a message whose answer is cut off is not doubled", async () => {
    const { proxy, room, direct } = await throughProxy();
    const ann = await Person.enter(room, "Ann");
    const bo = await Person.enter(direct, "Bo");
    const said: string[] = [];
    for (const bytes of [1, 20, 80, 200, 400, 800]) {
      const cut = proxy.cutAfter(bytes);
      said.push(`cut after ${bytes}`);
      await ann.say(said.at(-1)!);
      await bo.sees(...said);
      // Whatever did not use the bytes up ends here.
      proxy.cut();
      await cut;
      await ann.sees(...said);
    }
  });

  test("a message that is written while the server is dead waits, and arrives once", async () => {
    const room = `${server.url}/chat/#${freshName()}`;
    const ann = await Person.enter(room, "Ann");
    const bo = await Person.enter(room, "Bo");
    await ann.say("before");
    await bo.sees("before");
    await server.kill9();
    await eventually("both see it", async () => (await ann.state()) === "reconnecting" && (await bo.state()) === "reconnecting");
    await ann.say("one");
    await ann.say("two");
    await ann.status("two", /sending/);
    await server.restart();
    await bo.sees("before", "one", "two");
    await ann.sees("before", "one", "two");
    await eventually("they see each other again", async () => (await ann.people()).includes("Bo") && (await bo.people()).includes("Ann"));
  });
});

describeOwnServer("the chat page with a ticket", () => {
  const key = freshKey();
  const server = useOwnServer("chat-page", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(key) });

  test("a page with a ticket is its subject in the room and beside each message, also after a reload", async () => {
    const name = `room-${freshName()}`;
    const withTicket = (sub: string) => async (page: Page) => {
      const value = mint(key, { aud: "chat", ch: name, rights: ["read", "publish", "presence"], sub });
      await page.context().addCookies([{ name: "tidewire-ticket", value, url: server.url, httpOnly: true }]);
    };
    const ann = await Person.enter(`${server.url}/chat/#${name}`, "Ann", withTicket("ann"));
    const bo = await Person.enter(`${server.url}/chat/#${name}`, "Bo", withTicket("bo"));
    await eventually("each is there once", async () => (await ann.people()).join() === "Ann (you),Bo" && (await bo.people()).join() === "Bo (you),Ann");
    await ann.page.fill('[data-role="text"]', "Hello");
    await ann.types(bo, "Ann");
    expect(await ann.page.innerText('[data-role="typing"]')).toBe("");
    await ann.page.press('[data-role="text"]', "Enter");
    await bo.sees("Hello");
    await expect.poll(() => bo.row("Hello").getAttribute("data-author")).toBe("ann");
    await expect.poll(() => bo.row("Hello").getAttribute("data-verified")).toBe("true");
    await ann.page.reload();
    await ann.isLive();
    await ann.sees("Hello");
    await expect.poll(() => ann.row("Hello").getAttribute("data-is-mine")).toBe("true");
    await eventually("Ann is back, once", async () => (await bo.people()).join() === "Bo (you),Ann");
    // Somebody without a subject, under her id and with a mark in the name.
    const stranger = mint(key, { aud: "chat", ch: name, rights: ["read", "publish"] });
    const body = JSON.stringify({ type: "message", id: "fake", from: { id: "ann", name: "Ann ✓✅", color: "#6b4fc4" }, text: "Fake", at: Date.now() });
    const headers = { "content-type": "application/json", authorization: `Bearer ${stranger}` };
    expect((await fetch(`${server.url}/chat/${name}`, { method: "POST", headers, body })).ok).toBe(true);
    for (const person of [ann, bo]) await person.sees("Hello", "Fake");
    await expect.poll(() => ann.row("Fake").getAttribute("data-is-mine")).toBe(null);
    await expect.poll(() => bo.row("Fake").locator("b").innerText()).toBe("Ann");
    await expect.poll(() => bo.row("Hello").getByRole("img", { name: "verified" }).isVisible()).toBe(true);
    await expect.poll(() => bo.row("Fake").getByRole("img", { name: "verified" }).count()).toBe(0);
    await ann.delete("Hello");
    await bo.sees("Message deleted", "Fake");
    for (const person of [ann, bo]) person.isClean();
  });
});

const signer = freshProviderKey("ES256", "chat-page");
const provider = await Provider.start([signer]);

describeOwnServer("the chat page with a token of the users' provider", () => {
  const TOKEN_S = 5;
  const server = useOwnServer("chat-page-token", { OPEN_ACCESS: "false", RETRY_MS: "200", ...provider.vars });
  afterAll(() => provider.down());

  test("resumes with a fresh token when one expires; the author is its subject, and nothing is lost", async () => {
    const room = `${server.url}/chat/#room-${freshName()}`;
    const logins = { ann: 0, bo: 0 };
    /** The page as a copier changes it, beside a login that answers with a token. */
    const withToken = (sub: "ann" | "bo") => async (page: Page) => {
      const script = 'export const access = { token: async () => (await fetch("/login", { method: "POST" })).text() };';
      await page.route("**/chat/-/access.js", (route) => route.fulfill({ contentType: "text/javascript", body: script }));
      await page.route("**/login", async (route) => {
        logins[sub] += 1;
        await route.fulfill({ body: provider.token(signer, { sub, exp: inSeconds(TOKEN_S) }) });
      });
    };
    const ann = await Person.enter(room, "Ann", withToken("ann"));
    const bo = await Person.enter(room, "Bo", withToken("bo"));
    // A WebSocket of a browser cannot carry a token.
    expect(await ann.page.innerText('[data-role="state"]')).toBe("live over SSE");
    const said: string[] = [];
    for (let round = 1; round <= 5; round++) {
      for (const person of [ann, bo]) {
        said.push(`${person === ann ? "Ann" : "Bo"} says ${round}`);
        await person.say(said.at(-1)!);
        for (const reader of [ann, bo]) await reader.sees(...said);
      }
      // So that some messages come while a token expires, and some between.
      await new Promise((done) => setTimeout(done, TOKEN_S * 500));
    }
    expect(logins.ann).toBeGreaterThan(1);
    for (const [text, reader, sub] of [["Ann says 5", bo, "ann"], ["Bo says 5", ann, "bo"]] as const) {
      expect(await reader.row(text).getAttribute("data-author")).toBe(sub);
      expect(await reader.row(text).getAttribute("data-verified")).toBe("true");
    }
    await eventually("each is there once", async () => (await ann.people()).join() === "Ann (you),Bo" && (await bo.people()).join() === "Bo (you),Ann");
    await ann.delete("Ann says 5");
    for (const reader of [ann, bo]) await reader.sees(...said.map((text) => (text === "Ann says 5" ? "Message deleted" : text)));
    // The page requests a stream that ended with its token once more with the old token: that 401 is in the console.
    for (const person of [ann, bo]) expect(person.errors.filter((error) => !error.includes("401"))).toEqual([]);
  });
});
