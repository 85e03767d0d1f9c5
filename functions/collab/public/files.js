// @ts-check
// The whole document as a file of one update, out and in.

import { role } from "./page.js";
import { applyUpdate, Doc, encodeStateAsUpdate } from "./yjs.js";

/** @param {import("yjs").Doc} doc @param {string} name @param {(words: string) => void} say */
export function offerFiles(doc, name, say) {
  role("export").onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (encodeStateAsUpdate(doc))], { type: "application/octet-stream" }));
    link.download = `${name}.yjs`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  role("import").onclick = () => role("file").click();
  role("file").onchange = async () => {
    const [file] = role("file").files;
    role("file").value = "";
    if (!file) return;
    const update = new Uint8Array(await file.arrayBuffer());
    if (!isWhole(update)) return say(`${file.name} is not an exported document: choose a file that Export made.`);
    // An update like any other: it is merged, sent and saved.
    applyUpdate(doc, update, "import");
    say("");
  };
}

/** Tried on a document of its own: half of a broken file would stay in ours. @param {Uint8Array} update */
function isWhole(update) {
  try {
    const doc = new Doc();
    applyUpdate(doc, update);
    return !(/** @type {any} */ (doc.store).pendingStructs);
  } catch {
    return false;
  }
}
