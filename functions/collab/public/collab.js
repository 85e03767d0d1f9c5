// @ts-check
// The page: a text that everyone who opens it edits together.

import { Awareness } from "./awareness.js";
import { Binding } from "./binding.js";
import { drawCarets } from "./carets.js";
import { SharedDocument } from "./document.js";
import { offerFiles } from "./files.js";
import { offerHistory } from "./history.js";
import { role } from "./page.js";
import { changeMe, me, showPeople } from "./people.js";

const name = new URLSearchParams(location.search).get("channel") || "demo-letter";
const url = new URL(`./${encodeURIComponent(name)}`, document.baseURI);

let frame = 0;

const shared = new SharedDocument(url, { state: show, saving: showSaving, members: (members, isSnapshot) => awareness.take(members, isSnapshot) });
const text = shared.doc.getText("text");
const awareness = new Awareness(url, shared.doc.clientID, repaint);
const binding = new Binding(role("text"), text, {
  selected: () => {
    introduce();
    repaint();
  },
  composing: (isComposing) => shared.hold(isComposing),
});

/** The form of the editors of npm, so that they show our cursor and we theirs. */
function introduce() {
  // Not before the document is there: a page that is refused is not in it.
  if (shared.isLive) awareness.set({ user: { ...me }, cursor: binding.cursor });
}

/** However much changes, the page is painted once per frame. */
function repaint() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    drawCarets(role("mirror"), text, awareness.others);
    showPeople(awareness.others);
  });
}

function show(state, message = "") {
  role("state").textContent = role("state").dataset.state = state;
  role("problem").textContent = message;
  role("problem").hidden = !message;
  role("text").readOnly = !shared.isOpen || state === "finished" || state === "refused";
  if (state !== "live") return;
  introduce();
  // After a restart the server may have forgotten us.
  awareness.announce();
  shared.outbox.flush();
}

function showSaving(failure) {
  const count = shared.outbox.updates.length;
  role("saving").dataset.saving = failure ? "failed" : count ? "saving" : "saved";
  role("saving").textContent = failure ? "Not saved" : count ? (shared.isLive ? "Saving…" : "Saved here, sent when the server is back") : "Saved";
  role("failure").textContent = failure && `Not saved: ${failure}`;
  role("unsaved").hidden = !failure;
}

role("name").value = me.name;
role("color").value = me.color;
for (const field of ["name", "color"])
  role(field).onchange = () => {
    changeMe({ [field]: role(field).value.trim() || me[field] });
    role(field).value = me[field];
    introduce();
    repaint();
  };
role("text").onfocus = role("text").onblur = introduce;
role("discard").onclick = () => {
  shared.outbox.discard();
  location.reload();
};
// What is not saved is kept for a reload of this tab, and lost with the tab.
addEventListener("beforeunload", (event) => shared.outbox.updates.length && role("saving").dataset.saving === "failed" && event.preventDefault());

role("document").textContent = name;
document.title = `${name} · Tidewire`;
show("connecting");
showSaving("");
repaint();
offerHistory(shared, (wanted) => binding.replace(wanted));
offerFiles(shared.doc, name, (words) => {
  role("problem").textContent = words;
  role("problem").hidden = !words;
});
shared.open((doc) => doc.getText("text").insert(0, `${name}\n\nEveryone who opens this page writes in this text.\n`));
