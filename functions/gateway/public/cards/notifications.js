// @ts-check
// Notifications: what was read is an event, too.

import { publish } from "../client.js";
import { me } from "./me.js";
import { at, element, follow } from "./stage.js";

const INBOX = "notifications/demo-gallery";
const UNREAD_SHOWN = 3;
/** The notifications not read yet, by the id that their publisher gave. @type {Map<string, { offset: string, title: string }>} */
const unread = new Map();
let inboxOffset = "-1";

/** @param {import("./stage.js").Miniature} miniature */
function startInbox(miniature) {
  const { stage } = miniature;
  if (!stage.childElementCount) {
    const button = element("button", "Mark all read");
    button.onclick = () => publish(at(INBOX), { type: "read-all", upTo: inboxOffset });
    stage.append(element("p"), element("ul"), button);
  }
  drawInbox(stage);
  follow(INBOX, miniature, {
    transports: ["sse"],
    offset: inboxOffset,
    onEvent: ({ offset, data }) => {
      inboxOffset = offset;
      if (data?.type === "notification") unread.set(data.id, { offset, title: String(data.title) });
      for (const [id, one] of unread) {
        // Offsets sort as text.
        if ((data?.type === "read" && one.offset === data.offset) || (data?.type === "read-all" && one.offset <= data.upTo)) unread.delete(id);
      }
      drawInbox(stage);
    },
  });
}

function drawInbox(stage) {
  stage.querySelector("p").textContent = unread.size ? `${unread.size} unread` : "Nothing unread";
  stage.querySelector("button").disabled = !unread.size;
  stage.querySelector("ul").replaceChildren(...[...unread.values()].slice(-UNREAD_SHOWN).reverse().map(({ title }) => element("li", title.slice(0, 60))));
}

function notify() {
  const now = new Date();
  const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  return publish(at(INBOX), { type: "notification", id, title: `${me.name} pressed the button at ${now.toTimeString().slice(0, 8)}`, body: "", at: now.getTime() });
}

/** @type {import("./stage.js").Card} */
export const card = {
  name: "notifications",
  href: "notifications/?channel=demo-gallery",
  transport: "SSE",
  text: "One channel for each user. What is read in one tab is read in all of them, and who comes back catches up.",
  isHeld: true,
  start: startInbox,
  act: "Notify",
  press: notify,
};
