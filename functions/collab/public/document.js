// @ts-check
// One shared document: opens it, reads what others write, and sends what is written here.
//
// The Yjs protocol of Durable Streams over HTTP, with the client: PUT creates, one GET brings the whole document as one update, and a subscription from there
// on brings every later update. An edit is in the page at once and `saved` when the server has acknowledged it.

import { access } from "./access.js";
import { request, subscribe } from "./client.js";
import { framed, unframed } from "./frames.js";
import { Outbox } from "./outbox.js";
import { applyUpdate, Doc, encodeStateAsUpdate } from "./yjs.js";

const BACKOFF = { baseMs: 250, capMs: 3_000 };
const RETRY_MS = 1_000;
const OCTETS = { "content-type": "application/octet-stream" };
/** Origin of what the server sent. */
const REMOTE = "remote";

export class SharedDocument {
  doc = new Doc();
  outbox;
  /** Whether the document is there: what is typed before would stand beside its text, not in it. */
  isOpen = false;
  #url;
  #page;
  #subscription;
  #isLive = false;
  #isHeld = false;
  #isClosed = false;
  /** @type {Uint8Array[]} */
  #held = [];

  /**
   * `page` has a function for each thing that can happen: `state(name, message)`, `saving(failure)`, `members(members, isSnapshot)`.
   *
   * @param {URL} url @param {any} page
   */
  constructor(url, page) {
    this.#url = url;
    this.#page = page;
    this.outbox = new Outbox(url, (failure) => page.saving(failure));
    // What was written before a reload and is not saved yet.
    for (const update of this.outbox.updates) applyUpdate(this.doc, update, REMOTE);
    this.doc.on("update", (update, origin) => origin !== REMOTE && this.outbox.add(update));
  }

  get isLive() {
    return this.#isLive;
  }

  /** Address of something beside the document, such as its versions. @param {string} path */
  beside(path) {
    return new URL(`-/${path}/${this.#url.pathname.split("/").at(-1)}`, new URL(".", this.#url));
  }

  /**
   * Opens the document; `first` writes the text of a new one. Only the server knows whether it is new: the text comes with the request that creates the
   * document, so of several pages that open it at once one writes it. A page that finds the document empty and writes by itself would double it.
   *
   * @param {(doc: import("yjs").Doc) => void} first
   */
  async open(first) {
    const seed = new Doc();
    first(seed);
    const body = framed([encodeStateAsUpdate(seed)]);
    const answer = await this.#insist(async () => {
      // A reader that may not write finds what is there.
      await request(this.#url, { method: "PUT", headers: OCTETS, body }, access).catch((error) => {
        if (error.status !== 401 && error.status !== 403) throw error;
      });
      return request(this.beside("version"), { cache: "no-store" }, access);
    });
    if (!answer || this.#isClosed) return;
    this.#take(new Uint8Array(await answer.arrayBuffer()));
    this.isOpen = true;
    this.#follow(answer.headers.get("stream-next-offset") ?? "-1");
    this.outbox.flush();
  }

  /** Reads no more. What is not saved yet is still sent. */
  close() {
    this.#isClosed = true;
    this.#subscription?.close();
  }

  /** While held, nothing of the others enters the document. @param {boolean} isHeld */
  hold(isHeld) {
    this.#isHeld = isHeld;
    if (!isHeld) for (const update of this.#held.splice(0)) this.#take(update);
  }

  #take(update) {
    if (this.#isHeld) this.#held.push(update);
    else applyUpdate(this.doc, update, REMOTE);
  }

  #follow(offset) {
    let failure = "";
    this.#subscription = subscribe(this.#url, {
      ...access,
      offset,
      // A poll says nothing of who is here.
      transports: ["sse", "long-poll"],
      backoff: BACKOFF,
      onEvent: ({ data }) => unframed(/** @type {Uint8Array} */ (data)).forEach((update) => this.#take(update)),
      onPresence: ({ members, isSnapshot }) => this.#page.members(members, isSnapshot),
      onError: ({ detail }) => (failure = detail),
      // Nothing of a document is dropped while it lives: another one has its name now, and ours must not be poured into it.
      onGap: () => {
        this.#subscription.close();
        this.#page.state("refused", "This document was deleted. Load the page again for the new one under its name.");
      },
      onState: (state) => {
        const wasLive = this.#isLive;
        this.#isLive = state === "live";
        if (state === "live") this.#page.state("live");
        else if (state === "finished") this.#page.state("finished", "This document is closed: it does not change any more.");
        else if (state === "failed") this.#page.state("refused", failure);
        else if (wasLive || state === "waiting") this.#page.state("reconnecting");
      },
    });
  }

  /** Tries until there is an answer; nothing if it is a refusal. @param {() => Promise<Response>} ask */
  async #insist(ask) {
    while (!this.#isClosed)
      try {
        return await ask();
      } catch (error) {
        if (!error.retryable) {
          this.#page.state("refused", error.detail || error.code);
          return undefined;
        }
        this.#page.state("reconnecting");
        await new Promise((done) => setTimeout(done, error.retryAfterMs ?? RETRY_MS));
      }
    return undefined;
  }
}
