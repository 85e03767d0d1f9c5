// @ts-check
// Chat: who is here, and where they point.

import { publish, request } from "../client.js";
import { hasWebSocket } from "../platform.js";
import { me } from "./me.js";
import { at, element, follow, json } from "./stage.js";

const RENEW_MS = 15_000; // a third of the presence lease
const MOVE_MS = 100; // between two positions of a cursor

/** @param {import("./stage.js").Miniature} miniature */
function startChat(miniature) {
  const { stage, signal } = miniature;
  /** The others: what comes back of this visitor may be older than what the page shows. */
  const people = new Map();
  const states = new AbortController();
  let isNews = false;
  let last = 0;
  let planned;

  const tell = (state, options) => request(at("chat/-/presence/demo-lobby"), { ...json("POST", { id: me.id, state }), ...options }).catch(() => {});
  const present = () => {
    isNews = true;
    planned ??= setTimeout(say, Math.max(0, last + MOVE_MS - Date.now()));
  };
  // One at a time and each with the newest state: two requests at once could arrive in the wrong order.
  const say = async () => {
    isNews = false;
    last = Date.now();
    const { id, ...state } = me;
    await tell(state, { signal: states.signal });
    planned = undefined;
    if (isNews && !signal.aborted) present();
  };
  const move = (x, y) => {
    Object.assign(me, { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) });
    present();
    draw();
  };
  const draw = () => {
    const all = new Map([...people, [me.id, me]]);
    for (const cursor of stage.querySelectorAll("[data-person]")) if (!all.has(/** @type {HTMLElement} */ (cursor).dataset.person)) cursor.remove();
    for (const [id, { name, color, x, y }] of all) {
      // Who is on the page of the chat has no cursor.
      if (!(x >= 0 && y >= 0)) continue;
      let cursor = /** @type {HTMLElement} */ (stage.querySelector(`[data-person="${CSS.escape(id)}"]`));
      if (!cursor) stage.append((cursor = element("span", "", { "data-person": id })));
      cursor.textContent = id === me.id ? "you" : String(name ?? "").slice(0, 40);
      if (/^#[0-9a-f]{6}$/i.test(color)) cursor.style.setProperty("--color", color);
      cursor.style.translate = `${Math.min(1, x) * (stage.clientWidth - 18)}px ${Math.min(1, y) * (stage.clientHeight - 40)}px`;
    }
    stage.querySelector(".count").textContent = people.size ? `you and ${people.size} other${people.size > 1 ? "s" : ""}` : "only you: open this page in a second tab";
  };

  if (!stage.childElementCount) {
    stage.append(element("p", "", { class: "count" }), element("p", "", { class: "message" }));
    stage.tabIndex = 0;
    stage.role = "group";
    stage.ariaLabel = "Who is here. Move your cursor with the pointer or the arrow keys.";
  }
  stage.addEventListener("pointermove", ({ clientX, clientY }) => {
    const box = stage.getBoundingClientRect();
    move((clientX - box.x) / box.width, (clientY - box.y) / box.height);
  }, { signal });
  stage.addEventListener("keydown", (key) => {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key.key] ?? [0, 0];
    if (!x && !y) return;
    key.preventDefault();
    move(me.x + x / 20, me.y + y / 10);
  }, { signal });
  const renewals = setInterval(present, RENEW_MS);
  signal.addEventListener("abort", () => {
    clearInterval(renewals);
    clearTimeout(planned);
    // A state that is still on its way could arrive after the farewell.
    states.abort();
    tell(null, { keepalive: true });
  });

  follow("chat/demo-lobby", miniature, {
    // Polls carry no presence.
    transports: [hasWebSocket ? "websocket" : "sse"],
    onState: (state) => {
      miniature.enter(state);
      if (state === "live") present();
    },
    onPresence: ({ members, isSnapshot }) => {
      if (isSnapshot) people.clear();
      for (const { id, state } of members) {
        if (id === me.id) state || present();
        else state ? people.set(id, state) : people.delete(id);
      }
      draw();
    },
    onEvent: ({ data }) => {
      if (data?.type === "message") stage.querySelector(".message").textContent = `${String(data.from?.name).slice(0, 40)}: ${String(data.text).slice(0, 100)}`;
    },
  });
  move(me.x, me.y);
}

function greet() {
  const { id, name, color } = me;
  return publish(at("chat/demo-lobby"), { type: "message", id: crypto.getRandomValues(new Uint32Array(4)).join("-"), from: { id, name, color }, text: "Hello!", at: Date.now() });
}

/** @type {import("./stage.js").Card} */
export const card = {
  name: "chat",
  href: "chat/",
  transport: hasWebSocket ? "WebSocket" : "SSE",
  text: "Rooms: history, who is here, who is typing. The cursors are the visitors of this page.",
  isHeld: true,
  start: startChat,
  act: "Say hello",
  press: greet,
};
