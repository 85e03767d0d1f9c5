// @ts-check
// A text area that shows a `Y.Text`: what is typed becomes the smallest change of the text, and what others change moves no cursor.

import { difference } from "./diff.js";
import { createAbsolutePositionFromRelativePosition, createRelativePositionFromTypeIndex, UndoManager } from "./yjs.js";

/** Origin of what is typed here; `UndoManager` takes back nothing else. */
const TYPED = "typed";

export class Binding {
  #field;
  #text;
  #undo;
  /** Where the cursor is, in terms of characters that stay when others write. */
  #selection;
  #listener;

  /**
   * `listener`: `selected()` when the cursor or the text moved; `composing(isComposing)` while a word is written with several keys, when no text of others may be
   * put into the field.
   *
   * @param {HTMLTextAreaElement} field @param {import("yjs").Text} text @param {{ selected(): void, composing(isComposing: boolean): void }} listener
   */
  constructor(field, text, listener) {
    this.#field = field;
    this.#text = text;
    this.#listener = listener;
    this.#undo = new UndoManager(text, { trackedOrigins: new Set([TYPED]) });
    // A key moves the cursor before the browser tells so. The field still shows the text that changes now.
    text.doc.on("beforeTransaction", ({ origin }) => origin !== TYPED && document.activeElement === field && this.#moved());
    text.observe((_, { origin }) => origin !== TYPED && this.#show());
    field.addEventListener("input", () => this.#typed());
    field.addEventListener("beforeinput", (event) => this.#undone(event));
    field.addEventListener("keydown", (event) => this.#pressed(event));
    field.addEventListener("compositionstart", () => listener.composing(true));
    field.addEventListener("compositionend", () => listener.composing(false));
    document.addEventListener("selectionchange", () => document.activeElement === field && this.#moved());
    // Firefox reports it here.
    field.addEventListener("selectionchange", () => this.#moved());
    this.#show();
  }

  /** Where the cursor is, or was last, for others; `null` before it was in the field. */
  get cursor() {
    return this.#selection ?? null;
  }

  /** Makes the text this one, as an edit that can be undone. @param {string} wanted */
  replace(wanted) {
    this.#undo.stopCapturing();
    this.#change(wanted, wanted.length);
    this.#undo.stopCapturing();
    this.#show();
  }

  #typed() {
    this.#change(this.#field.value, this.#field.selectionEnd);
    this.#moved();
  }

  #change(wanted, caret) {
    const { at, deleted, inserted } = difference(this.#text.toString(), wanted, caret);
    this.#text.doc.transact(() => {
      if (deleted) this.#text.delete(at, deleted);
      if (inserted) this.#text.insert(at, inserted);
    }, TYPED);
  }

  /** Shows the text as it is now, the cursor beside the letters that it stood beside. */
  #show() {
    const value = this.#text.toString();
    if (this.#field.value === value) return this.#listener.selected();
    this.#field.value = value;
    if (this.#selection && document.activeElement === this.#field) {
      const [start, end] = [this.#selection.anchor, this.#selection.head].map((position) => createAbsolutePositionFromRelativePosition(position, this.#text.doc)?.index ?? value.length);
      this.#field.setSelectionRange(Math.min(start, end), Math.max(start, end), start > end ? "backward" : "forward");
    }
    this.#listener.selected();
  }

  #moved() {
    const { selectionStart, selectionEnd, selectionDirection } = this.#field;
    const isRange = selectionStart !== selectionEnd;
    // A cursor stays behind the letter that was typed last; a selection does not grow by what others write beside it.
    const start = createRelativePositionFromTypeIndex(this.#text, selectionStart, isRange ? 0 : -1);
    const end = createRelativePositionFromTypeIndex(this.#text, selectionEnd, -1);
    this.#selection = selectionDirection === "backward" ? { anchor: end, head: start } : { anchor: start, head: end };
    this.#listener.selected();
  }

  #undone(event) {
    if (event.inputType === "historyUndo" || event.inputType === "historyRedo") this.#step(event, event.inputType === "historyRedo");
  }

  /** The browser's own history knows nothing of what others wrote in the meantime. */
  #pressed(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "z") this.#step(event, event.shiftKey);
    else if (key === "y") this.#step(event, true);
  }

  #step(event, isForward) {
    event.preventDefault();
    if (isForward) this.#undo.redo();
    else this.#undo.undo();
  }
}
