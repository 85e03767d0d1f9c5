// A shared document in a real browser: people who write the same text, break off, and come back.

import { readFileSync } from "node:fs";
import { YjsProvider } from "@durable-streams/y-durable-streams";
import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { moduleOf, useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { describeOwnServer, freshName, useOwnServer, useServer } from "../harness/suite.ts";
import { freshKey, mint, ticketKeys } from "../harness/ticket.ts";

const browser = useBrowser();

const FIRST = (name: string) => `${name}\n\nEveryone who opens this page writes in this text.\n`;

/** Somebody in a document, by what the page shows. */
class Writer {
  readonly page: Page;
  readonly errors: string[];

  constructor({ page, errors }: { page: Page; errors: string[] }) {
    this.page = page;
    this.errors = errors;
  }

  static async open(url: string, name?: string, prepare?: (page: Page) => Promise<void>): Promise<Writer> {
    const writer = new Writer(await browser.open(url, prepare));
    await writer.is("live");
    if (name) await writer.rename(name);
    return writer;
  }

  async is(state: string): Promise<void> {
    await eventually(`the page is ${state}`, async () => (await this.page.getAttribute('[data-role="state"]', "data-state")) === state, 60_000);
  }

  async rename(name: string): Promise<void> {
    await this.page.fill('[data-role="name"]', name);
    await this.page.press('[data-role="name"]', "Enter");
    await eventually(`${name} is here`, async () => (await this.people()).includes(`${name} (you)`));
  }

  /** Types where the cursor is, or after a key that moves it. */
  async type(text: string, key?: string): Promise<void> {
    await this.page.focus('[data-role="text"]');
    if (key) await this.page.keyboard.press(key);
    await this.page.keyboard.type(text);
  }

  text(): Promise<string> {
    return this.page.inputValue('[data-role="text"]');
  }

  async sees(text: string): Promise<void> {
    await expect.poll(() => this.text(), { timeout: 60_000 }).toBe(text);
  }

  people(): Promise<string[]> {
    return this.page.locator('[data-role="people"] li').allTextContents();
  }

  async saving(expected: RegExp): Promise<void> {
    await eventually(`saving: ${expected}`, async () => expected.test(await this.page.innerText('[data-role="saving"]')), 60_000);
  }

  /** The names at the cursors, each with the text before it. */
  carets(): Promise<[string, string][]> {
    return this.page.locator(".caret").evaluateAll((all) =>
      all.map((one) => {
        const range = document.createRange();
        range.setStart(one.parentElement!, 0);
        range.setEndBefore(one);
        return [(one as HTMLElement).dataset.name!, range.toString()] as [string, string];
      }),
    );
  }

  /** Nothing went wrong in the page. */
  isClean(): void {
    expect(this.errors).toEqual([]);
  }
}

describe("the page of a shared document", () => {
  const server = useServer();
  const freshDocument = () => {
    const name = freshName();
    return { name, url: `${server.url}/collab/?channel=${name}` };
  };

  test("two people see each other, what the other writes, and where", async () => {
    const { name, url } = freshDocument();
    const ann = await Writer.open(url, "Ann");
    const bo = await Writer.open(url, "Bo");
    await eventually("they see each other", async () => (await ann.people()).includes("Bo") && (await bo.people()).includes("Ann"));

    await ann.type("one\n", "Control+End");
    await bo.sees(`${FIRST(name)}one\n`);
    await bo.type("two", "Control+End");
    await ann.sees(`${FIRST(name)}one\ntwo`);
    await expect.poll(() => ann.carets()).toEqual([["Bo", `${FIRST(name)}one\ntwo`]]);
    await expect.poll(() => bo.carets()).toEqual([["Ann", `${FIRST(name)}one\n`]]);
    for (const writer of [ann, bo]) await writer.saving(/^Saved$/);

    await bo.page.keyboard.press("Control+Home");
    await bo.page.keyboard.press("Shift+End");
    await expect.poll(() => ann.page.locator("mark").allTextContents()).toEqual([name]);
    await bo.rename("Bo Li");
    await eventually("Ann sees the new name", async () => (await ann.people()).includes("Bo Li"));
    const late = await Writer.open(url, "Cleo");
    await late.sees(`${FIRST(name)}one\ntwo`);
    await eventually("Cleo sees who is there", async () => (await late.people()).sort().join() === "Ann,Bo Li,Cleo (you)");
    await bo.page.close({ runBeforeUnload: true });
    await eventually("Bo is gone", async () => (await ann.people()).sort().join() === "Ann (you),Cleo");
    for (const writer of [ann, late]) writer.isClean();
  });

  test("pages that open an empty document at once have its first text once", async () => {
    const { name, url } = freshDocument();
    const writers = await Promise.all(Array.from({ length: 4 }, () => Writer.open(url)));
    for (const writer of writers) await writer.sees(FIRST(name));
    for (const writer of writers) writer.isClean();
  });

  test("people who type at once keep their cursors and every letter", async () => {
    const { name, url } = freshDocument();
    const [ann, bo] = [await Writer.open(url), await Writer.open(url)];
    // The same letter all the time, which a comparison of texts alone would put in the wrong place.
    await Promise.all([ann.type("a".repeat(40), "Control+Home"), bo.type("b".repeat(40), "Control+End")]);
    const both = `${"a".repeat(40)}${FIRST(name)}${"b".repeat(40)}`;
    for (const writer of [ann, bo]) await writer.sees(both);
    // In the middle of the other's word, with letters of two units.
    await bo.type("👩‍🚀", "Control+Home");
    await ann.sees(`👩‍🚀${both}`);
    await bo.page.keyboard.press("Backspace");
    await expect.poll(async () => (await ann.text()) === (await bo.text())).toBe(true);
    expect((await ann.text()).isWellFormed()).toBe(true);
    for (const writer of [ann, bo]) writer.isClean();
  });

  test("the page and an editor with the stock provider write the same text, and see each other's cursors", async () => {
    const { name, url } = freshDocument();
    const ann = await Writer.open(url, "Ann");
    const doc = new Y.Doc();
    const text = doc.getText("text");
    const awareness = new Awareness(doc);
    const provider = new YjsProvider({ doc, awareness, baseUrl: `${server.url}/collab`, docId: name });
    onTestFinished(async () => {
      await provider.disconnect();
      awareness.destroy();
    });
    await eventually("the editor has the text", () => text.toString() === FIRST(name));
    await ann.type("one ", "Control+End");
    await eventually("the editor has what Ann typed", () => text.toString() === `${FIRST(name)}one `);
    text.insert(text.length, "two");
    await ann.sees(`${FIRST(name)}one two`);

    // As y-codemirror.next says it.
    const position = (index: number) => JSON.parse(JSON.stringify(Y.createRelativePositionFromTypeIndex(text, index))) as unknown;
    awareness.setLocalState({ user: { name: "Editor", color: "#6b4fc4" }, cursor: { anchor: position(0), head: position(name.length) } });
    await eventually("Ann sees the editor", async () => (await ann.people()).includes("Editor"));
    await expect.poll(() => ann.carets()).toEqual([["Editor", name]]);
    await expect.poll(() => ann.page.locator("mark").allTextContents()).toEqual([name]);
    type State = { user?: { name: string }; cursor?: { head: unknown } };
    await eventually("the editor sees where Ann is", () => {
      const state = [...(awareness.getStates().values() as Iterable<State>)].find(({ user }) => user?.name === "Ann");
      const found = state?.cursor && Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(state.cursor.head), doc);
      return found?.index === `${FIRST(name)}one `.length;
    });
    ann.isClean();
  });

  test("undo takes back what this page wrote, and nothing of the others", async () => {
    const { name, url } = freshDocument();
    const [ann, bo] = [await Writer.open(url), await Writer.open(url)];
    await ann.type("mine ", "Control+End");
    await bo.sees(`${FIRST(name)}mine `);
    await bo.type("yours", "Control+End");
    await ann.sees(`${FIRST(name)}mine yours`);
    await ann.page.keyboard.press("Control+z");
    for (const writer of [ann, bo]) await writer.sees(`${FIRST(name)}yours`);
    await ann.page.keyboard.press("Control+Shift+z");
    for (const writer of [ann, bo]) await writer.sees(`${FIRST(name)}mine yours`);
  });

  test("a word that takes several keys is not disturbed by what others write", async () => {
    const { name, url } = freshDocument();
    const [ann, bo] = [await Writer.open(url), await Writer.open(url)];
    await ann.type("", "Control+End");
    const keys = await ann.page.context().newCDPSession(ann.page);
    await keys.send("Input.imeSetComposition", { text: "に", selectionStart: 1, selectionEnd: 1 });
    await bo.type("bo ", "Control+Home");
    await bo.sees(`bo ${FIRST(name)}に`);
    await keys.send("Input.imeSetComposition", { text: "にほ", selectionStart: 2, selectionEnd: 2 });
    await bo.sees(`bo ${FIRST(name)}にほ`);
    await expect.poll(() => ann.text()).toBe(`${FIRST(name)}にほ`);
    await keys.send("Input.insertText", { text: "日本" });
    for (const writer of [ann, bo]) await writer.sees(`bo ${FIRST(name)}日本`);
  });

  test("a key that has just moved the cursor counts, whatever others write before the browser tells of it", async () => {
    const { page } = await browser.open(freshDocument().url);
    const modules = await Promise.all(["binding", "yjs"].map((name) => moduleOf(page, `${server.url}/collab/-/${name}.js`)));
    const caret = await page.evaluate(async ([{ Binding }, { Doc }]) => {
      const text = new Doc().getText("text");
      text.insert(0, "word");
      const field = document.body.appendChild(document.createElement("textarea"));
      new Binding(field, text, { selected() {}, composing() {} });
      const told = new Promise((done) => document.addEventListener("selectionchange", done, { once: true }));
      field.focus();
      field.setSelectionRange(4, 4);
      await told;
      field.setSelectionRange(1, 2, "backward");
      text.insert(4, "s");
      text.insert(0, "key");
      return [field.value, field.selectionStart, field.selectionEnd, field.selectionDirection];
    }, modules as any[]);
    expect(caret).toEqual(["keywords", 4, 5, "backward"]);
  });

  test("the slider shows the document as it was, and a version comes back as an edit", async () => {
    const { name, url } = freshDocument();
    const [ann, bo] = [await Writer.open(url), await Writer.open(url)];
    for (const word of ["one ", "two ", "three "]) {
      await ann.type(word, "Control+End");
      await ann.saving(/^Saved$/);
    }
    await ann.type("", "Control+a");
    await ann.page.keyboard.press("Delete");
    await bo.sees("");
    await bo.page.click('[data-role="history-button"]');
    const shown = () => bo.page.textContent('[data-role="version-text"]');
    const slide = (position: string) => bo.page.locator('[data-role="slider"]').fill(position);
    await eventually("the newest is shown", async () => (await shown()) === "" && (await bo.page.isEnabled('[data-role="restore"]')));
    const last = Number(await bo.page.getAttribute('[data-role="slider"]', "max"));
    expect(last).toBeGreaterThan(2);
    await slide("0");
    await expect.poll(shown).toBe(FIRST(name));
    await slide(String(last - 1));
    await expect.poll(shown).toBe(`${FIRST(name)}one two three `);
    await expect.poll(() => bo.page.innerText('[data-role="version"]')).toMatch(new RegExp(`, ${last} of ${last + 1}$`));
    await bo.page.click('[data-role="restore"]');
    for (const writer of [ann, bo]) await writer.sees(`${FIRST(name)}one two three `);
    // Those who had it are not thrown back: it goes on.
    await ann.type("four", "Control+End");
    await bo.sees(`${FIRST(name)}one two three four`);
    for (const writer of [ann, bo]) writer.isClean();
  });

  test("nothing can be brought back before it is shown, and a list that was overtaken changes nothing", async () => {
    const { name, url } = freshDocument();
    const ann = await Writer.open(url);
    await ann.type("more", "Control+End");
    await ann.saving(/^Saved$/);
    const press = (role: string) => ann.page.click(`[data-role="${role}"]`);
    const shown = () => ann.page.textContent('[data-role="version-text"]');
    const canRestore = () => ann.page.isEnabled('[data-role="restore"]');
    const slider = ann.page.locator('[data-role="slider"]');
    await press("history-button");
    await eventually("the newest is shown", canRestore);
    await press("back");

    const held: (() => void)[] = [];
    await ann.page.route("**/-/versions/**", async (route) => {
      const response = await route.fetch();
      if (held.length < 2) await new Promise<void>((done) => held.push(done));
      await route.fulfill({ response });
    });
    await press("history-button");
    await eventually("the list is on its way", () => held.length === 1);
    expect([await shown(), await canRestore()]).toEqual(["", false]);
    await press("back");
    await press("history-button");
    await eventually("a second list is on its way", () => held.length === 2);
    held[1]!();
    await eventually("the newest is shown", async () => (await shown()) === `${FIRST(name)}more` && (await canRestore()));
    await slider.fill("0");
    await expect.poll(shown).toBe(FIRST(name));
    await Promise.all([ann.page.waitForResponse(/-\/versions\//), held[0]!()]);
    await ann.page.evaluate(() => new Promise(requestAnimationFrame));
    expect([await slider.inputValue(), await shown()]).toEqual(["0", FIRST(name)]);
    ann.isClean();
  });

  test("what is exported is one update of Yjs, and is imported into another document", async () => {
    const ann = await Writer.open(freshDocument().url);
    await ann.type("to keep", "Control+End");
    await ann.saving(/^Saved$/);
    const [download] = await Promise.all([ann.page.waitForEvent("download"), ann.page.click('[data-role="export"]')]);
    const file = await download.path();
    const doc = new Y.Doc();
    Y.applyUpdate(doc, readFileSync(file));
    expect(doc.getText("text").toString()).toBe(await ann.text());

    const other = freshDocument();
    const [bo, cleo] = [await Writer.open(other.url), await Writer.open(other.url)];
    await bo.page.setInputFiles('[data-role="file"]', file);
    await eventually("both documents are in it", async () => /to keep/.test(await cleo.text()) && (await cleo.text()).includes(other.name));
    await bo.saving(/^Saved$/);
    const before = await bo.text();
    await bo.page.setInputFiles('[data-role="file"]', { name: "holiday.yjs", mimeType: "application/octet-stream", buffer: Buffer.from([1, 2, 3]) });
    await expect.poll(() => bo.page.innerText('[data-role="problem"]')).toMatch(/^holiday\.yjs is not/);
    expect(await bo.text()).toBe(before);
  });

  test("is not called saved before the server has acknowledged it; a refusal says why and can be discarded", async () => {
    const { name, url } = freshDocument();
    const ann = await Writer.open(url);
    let answer: (() => void) | undefined;
    const isUpdate = (address: URL) => address.pathname.endsWith(name) && !address.search;
    await ann.page.route(isUpdate, async (route) => {
      if (route.request().method() !== "POST") return route.fallback();
      await new Promise<void>((done) => (answer = done));
      const body = JSON.stringify({ type: "urn:tidewire:event-refused", title: "", status: 422, detail: "not today" });
      await route.fulfill({ status: 422, contentType: "application/problem+json", body });
    });
    await ann.type("x", "Control+End");
    await eventually("it is on its way", () => answer !== undefined);
    await ann.saving(/^Saving…$/);
    answer!();
    await ann.saving(/^Not saved$/);
    await expect.poll(() => ann.page.innerText('[data-role="failure"]')).toBe("Not saved: not today");
    await ann.page.unroute(isUpdate);
    await ann.page.click('[data-role="discard"]');
    await ann.is("live");
    await ann.sees(FIRST(name));
    await ann.saving(/^Saved$/);
  });

  test("names and text are shown as text, and nothing is wider than a phone", async () => {
    const { name, url } = freshDocument();
    const markup = '<img src=x onerror="document.title=1">';
    const ann = await Writer.open(url, "<b>Ann</b>");
    await ann.type("", "Control+End");
    await ann.page.keyboard.insertText(`${markup}${"W".repeat(300)}\nend`);
    const bo = await Writer.open(url);
    await bo.sees(`${FIRST(name)}${markup}${"W".repeat(300)}\nend`);
    await bo.page.setViewportSize({ width: 320, height: 480 });
    await expect.poll(() => bo.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
    // All of it is in sight, and the cursor of the other stands where the text area has the letter.
    const field = bo.page.locator('[data-role="text"]');
    await expect.poll(() => field.evaluate((one) => one.scrollHeight - one.clientHeight)).toBeLessThanOrEqual(1);
    await expect.poll(() => bo.page.locator(".mirror img, .mirror b, aside li b").count()).toBe(0);
    await expect.poll(() => bo.page.title()).toContain(name);
    for (const writer of [ann, bo]) writer.isClean();
  });
});

describeOwnServer("the page of a shared document on a server of its own", () => {
  const server = useOwnServer("browser-collab", { RETRY_MS: "200" });

  test("what is written offline is merged when the server is back, also after a reload", async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const name = freshName();
    const url = `${proxy.url}/collab/?channel=${name}`;
    const [ann, bo, cleo] = [await Writer.open(url), await Writer.open(url), await Writer.open(url)];
    await ann.type("both\n", "Control+End");
    await bo.sees(`${FIRST(name)}both\n`);
    await server.kill9();
    for (const writer of [ann, bo]) await writer.is("reconnecting");
    await ann.type("Ann, offline. ", "Control+Home");
    await bo.type("Bo, offline.", "Control+End");
    await cleo.type("Cleo, offline. ", "Control+Home");
    for (const writer of [ann, bo]) await writer.saving(/^Saved here/);
    // The tab of Cleo is loaded again before the server has her text.
    await cleo.page.goto("about:blank");
    await server.restart();
    await cleo.page.goto(url);
    await eventually(
      "all have all",
      async () => {
        const texts = await Promise.all([ann, bo, cleo].map((writer) => writer.text()));
        return texts.every((text) => text === texts[0] && ["Ann, offline. ", "Bo, offline.", "Cleo, offline. "].every((words) => text.split(words).length === 2));
      },
      60_000,
    );
    for (const writer of [ann, bo, cleo]) await writer.saving(/^Saved$/);
    const late = await Writer.open(url);
    await late.sees(await ann.text());
  });

  test("an update whose answer is lost is stored, and its text is there once", async () => {
    const name = freshName();
    const url = `${server.url}/collab/?channel=${name}`;
    const ann = await Writer.open(url);
    let lost = 0;
    await ann.page.route(
      (address) => address.pathname.endsWith(name) && !address.search,
      async (route) => {
        if (route.request().method() !== "POST" || lost > 0) return route.fallback();
        lost += 1;
        await route.fetch();
        await route.abort();
      },
    );
    await ann.type("once", "Control+End");
    await ann.saving(/^Saved$/);
    expect(lost).toBe(1);
    const bo = await Writer.open(url);
    for (const writer of [ann, bo]) await writer.sees(`${FIRST(name)}once`);
  });
});

describeOwnServer("the page of a shared document behind tickets", () => {
  const key = freshKey();
  const server = useOwnServer("browser-collab-ticket", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(key), RETRY_MS: "200" });

  /** What a copier changes, and the backend that it names. */
  const withTicket = (rights: ("read" | "publish" | "presence")[]) => async (page: Page) => {
    await page.route("**/-/access.js", async (route) => {
      const script = await (await route.fetch()).text();
      await route.fulfill({ contentType: "text/javascript", body: script.replace('ticketFrom("")', 'ticketFrom("/login")') });
    });
    await page.route("**/login", (route) => route.fulfill({ body: mint(key, { aud: "collab", ch: "minutes", rights }) }));
  };

  test("a reader with a read-only ticket reads, and gets to know that nothing of its own is saved", async () => {
    const url = `${server.url}/collab/?channel=minutes`;
    const ann = await Writer.open(url, "Ann", withTicket(["read", "publish", "presence"]));
    await ann.type("agreed", "Control+End");
    await ann.saving(/^Saved$/);
    const bo = await Writer.open(url, undefined, withTicket(["read"]));
    await bo.sees(`${FIRST("minutes")}agreed`);
    await bo.type("!", "Control+End");
    await bo.saving(/^Not saved$/);
    await expect.poll(() => bo.page.innerText('[data-role="failure"]')).toMatch(/^Not saved: .*publish/);
    await ann.type(".", "Control+End");
    // Both stand in the same place, in an order that chance decides.
    await expect.poll(() => bo.text(), { timeout: 60_000 }).toMatch(/agreed(!\.|\.!)$/);
    await ann.sees(`${FIRST("minutes")}agreed.`);
    const stranger = new Writer(await browser.open(url));
    await stranger.is("refused");
    await expect.poll(() => stranger.page.innerText('[data-role="problem"]')).not.toBe("");
  });
});
