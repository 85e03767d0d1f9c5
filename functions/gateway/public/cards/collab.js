// @ts-check
// Collab: a small page of the same document for every visitor.

import { me } from "./me.js";
import { at } from "./stage.js";

const MAX_LINES = 6;
let write = async () => {};

/** The modules of the page itself, which the gallery loads when the card is seen. */
const load = (name) => import(at(`collab/-/${name}.js`).href);

/** @param {import("./stage.js").Miniature} miniature */
async function startEditor({ stage, signal, enter }) {
  enter("connecting");
  const [{ Awareness }, { Binding }, { drawCarets }, { SharedDocument }] = await Promise.all(["awareness", "binding", "carets", "document"].map(load));
  if (signal.aborted) return;
  const [mirror, field] = [document.createElement("div"), document.createElement("textarea")];
  field.ariaLabel = "A text that all visitors write";
  field.spellcheck = false;
  // What is typed before the document is there would stand beside its text, not in it.
  field.readOnly = true;
  const isFocused = stage.contains(document.activeElement);
  stage.replaceChildren(mirror, field);
  // Who has just gone there, which made the card live, is not thrown out.
  if (isFocused) field.focus();

  const url = at("collab/demo-gallery");
  const shared = new SharedDocument(url, {
    state: (state) => {
      enter({ reconnecting: "waiting", refused: "failed" }[state] ?? state);
      field.readOnly = !shared.isOpen;
      if (state === "live") introduce();
    },
    saving: (failure) => failure && enter("failed"),
    members: (members, isSnapshot) => awareness.take(members, isSnapshot),
  });
  const text = shared.doc.getText("text");
  const draw = () => drawCarets(mirror, text, awareness.others);
  const awareness = new Awareness(url, shared.doc.clientID, draw);
  const introduce = () => shared.isLive && awareness.set({ user: { name: me.name, color: me.color }, cursor: binding.cursor });
  const binding = new Binding(field, text, {
    selected: () => {
      introduce();
      draw();
    },
    composing: (isComposing) => shared.hold(isComposing),
  });
  write = async () => {
    if (!shared.isOpen) return;
    const lines = text.toString().split("\n").filter(Boolean).slice(1 - MAX_LINES);
    binding.replace([...lines, `${me.name} was here at ${new Date().toTimeString().slice(0, 8)}`, ""].join("\n"));
  };
  field.onfocus = field.onblur = introduce;
  signal.addEventListener("abort", () => {
    shared.close();
    awareness.close();
  });
  shared.open((doc) => doc.getText("text").insert(0, "Write here: every visitor sees it.\n"));
}

/** @type {import("./stage.js").Card} */
export const card = {
  name: "collab",
  href: "collab/?channel=demo-gallery",
  transport: "SSE",
  text: "Shared documents of Yjs: two people write the same text, offline too, and all edits are merged. Stock providers connect with a URL.",
  isHeld: true,
  start: (miniature) => void startEditor(miniature).catch(() => miniature.enter("failed")),
  act: "Write a line",
  press: () => write(),
};
