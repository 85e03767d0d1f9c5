// @ts-check
// Who I am, one person per tab and the same after a reload, and who else is here.
//
// Names and colors come from strangers: text is only ever set as text, and a color is checked before it is used.

import { randomId } from "./outbox.js";
import { role } from "./page.js";

const ADJECTIVES = ["Brave", "Calm", "Clever", "Gentle", "Happy", "Kind", "Lucky", "Merry", "Quick", "Quiet", "Sunny", "Witty"];
const ANIMALS = ["Badger", "Dolphin", "Falcon", "Fox", "Heron", "Lynx", "Otter", "Panda", "Puffin", "Robin", "Seal", "Wren"];
const COLORS = ["#0f8b8d", "#6b4fc4", "#a8680c", "#1d6fc9", "#b8447e", "#2f8f46", "#c2452d", "#5a6b7a", "#7a8a12", "#9b3fb5", "#1487ad", "#8c5a3c"];

const ME = "tidewire-chat me";
const any = (list) => list[Math.floor(Math.random() * list.length)];

export const me = JSON.parse(sessionStorage.getItem(ME)) ?? { id: randomId(), name: `${any(ADJECTIVES)} ${any(ANIMALS)}`, color: any(COLORS) };
changeMe({});

/** By this mark in our state we find ourselves among those present. Good for once: whoever has read it could say it as well. */
export let tab = randomId();

export function changeMe(change) {
  Object.assign(me, change);
  sessionStorage.setItem(ME, JSON.stringify(me));
}

const people = new Map();

/** Those that came or changed; `isSnapshot`: these are all. */
export function members(changed, isSnapshot) {
  if (isSnapshot) people.clear();
  for (const { id, state } of changed) state ? people.set(id, state) : people.delete(id);

  // Whoever has a ticket or a token is present as its subject, whatever the page says.
  const mine = people.has(me.id) ? undefined : [...people].find(([, state]) => state.tab === tab)?.[0];
  if (mine) become(mine);
  if (people.get(me.id)?.tab === tab) tab = randomId();

  const others = [...people].filter(([id]) => id !== me.id).sort(([, a], [, b]) => nameOf(a).localeCompare(nameOf(b)));
  const self = people.has(me.id) ? [[me.id, people.get(me.id)]] : [];
  role("people").replaceChildren(
    ...[...self, ...others].map(([id, state]) => {
      const item = document.createElement("li");
      item.textContent = id === me.id ? `${nameOf(state)} (you)` : nameOf(state);
      item.classList.toggle("is-me", id === me.id);
      item.classList.toggle("is-typing", Boolean(state.typing));
      paint(item, state.color);
      return item;
    }),
  );
  role("count").textContent = String(people.size || "");
  const typing = others.filter(([, state]) => state.typing).map(([, state]) => nameOf(state));
  role("typing").textContent =
    typing.length > 2 ? "Several people are typing…" : typing.length ? `${typing.join(" and ")} ${typing.length > 1 ? "are" : "is"} typing…` : "";
}

/** From now on only what the server says of the author counts: strangers may write under the same id. */
function become(id) {
  changeMe({ id, isVerified: true });
  for (const row of role("log").querySelectorAll("li")) if (row.dataset.author === id && row.dataset.verified) row.dataset.isMine = "true";
}

/** Whether an author that came from the server is this page. */
export const isMe = ({ id, verified }) => id === me.id && (!me.isVerified || Boolean(verified));

// What looks like a check mark: a name does not say of itself that it is verified.
const CHECK_MARKS = /[\u221a\u2611\u2705\u2713\u2714\u237b\u{1f5f8}\u{1f5f9}\u{1f7c5}\u{1fbb1}]\ufe0f?/gu;

export const nameOf = ({ name }) => String(name ?? "").replace(CHECK_MARKS, "").slice(0, 40).trim() || "Somebody";

export function paint(element, color) {
  if (/^#[0-9a-f]{6}$/i.test(color)) element.style.setProperty("--color", color);
}
