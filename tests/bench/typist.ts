// A client of a document that types: each update carries an event of the benchmark, which tells how long it took.

import * as Y from "yjs";
import { framed, varUint } from "../harness/document.ts";
import { event } from "./event.ts";

/** Some words. */
const BYTES = 40;

export class Typist {
  readonly #text: Y.Text;
  #update: Uint8Array = new Uint8Array();

  constructor() {
    const doc = new Y.Doc();
    doc.on("update", (update: Uint8Array) => (this.#update = update));
    this.#text = doc.getText("text");
  }

  /** The next update as a message of y-websocket. */
  message(): Uint8Array {
    const update = this.#next();
    return new Uint8Array([0, 2, ...varUint(update.length), ...update]);
  }

  /** The next update as the body of a POST. */
  body(): Uint8Array {
    return framed(this.#next());
  }

  #next(): Uint8Array {
    this.#text.insert(this.#text.length, event(BYTES));
    return this.#update;
  }
}
