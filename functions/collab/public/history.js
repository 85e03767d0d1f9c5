// @ts-check
// The document as it was: a slider through its versions, and the way back to one of them.

import { access } from "./access.js";
import { request } from "./client.js";
import { role } from "./page.js";
import { applyUpdate, Doc } from "./yjs.js";

const moment = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** @param {import("./document.js").SharedDocument} shared @param {(text: string) => void} restore makes this the text */
export function offerHistory(shared, restore) {
  /** The oldest first. @type {{ offset: string, at: number, bytes: number }[]} */
  let versions = [];
  /** Number of the newest request; an answer that was overtaken shows nothing. */
  let asked = 0;

  async function open() {
    const number = ++asked;
    role("version-text").textContent = "";
    // Else what stood there last time could still be brought back, as the empty text that now stands in its place.
    role("restore").disabled = true;
    // What a person chooses before the list is there would be lost.
    role("slider").disabled = true;
    try {
      const listed = await (await request(shared.beside("versions"), { cache: "no-store" }, access)).json();
      if (number !== asked) return;
      versions = listed;
    } catch (error) {
      return number === asked && say(error.detail || error.code || String(error));
    }
    role("slider").max = String(Math.max(0, versions.length - 1));
    role("slider").value = role("slider").max;
    role("slider").disabled = versions.length < 2;
    await show();
  }

  async function show() {
    const number = ++asked;
    const version = versions[role("slider").valueAsNumber];
    role("restore").disabled = true;
    if (!version) return say("Nothing was written yet");
    const name = `${moment.format(version.at)}, ${role("slider").valueAsNumber + 1} of ${versions.length}`;
    role("slider").ariaValueText = name;
    say(name);
    try {
      const address = shared.beside("version");
      address.search = String(new URLSearchParams({ at: version.offset }));
      const answer = await request(address, {}, access);
      const doc = new Doc();
      applyUpdate(doc, new Uint8Array(await answer.arrayBuffer()));
      if (number !== asked) return;
      role("version-text").textContent = doc.getText("text").toString();
      role("restore").disabled = false;
    } catch (error) {
      if (number === asked) say(error.detail || error.code || String(error));
    }
  }

  function toggle(isOpen) {
    role("history").hidden = !isOpen;
    role("editor").hidden = isOpen;
    role("history-button").ariaExpanded = String(isOpen);
    if (isOpen) open();
  }

  function say(words) {
    role("version").textContent = words;
  }

  role("history-button").onclick = () => toggle(role("history").hidden);
  role("slider").oninput = show;
  role("back").onclick = () => toggle(false);
  role("restore").onclick = () => {
    toggle(false);
    restore(role("version-text").textContent);
  };
}
