// @ts-check
// Who I am, one person per tab and the same after a reload, and the list of those who are here.
//
// Names and colors come from strangers: text is only ever set as text, and a color is checked before it is used.

import { role } from "./page.js";

const ADJECTIVES = ["Brave", "Calm", "Clever", "Gentle", "Happy", "Kind", "Lucky", "Merry", "Quick", "Quiet", "Sunny", "Witty"];
const ANIMALS = ["Badger", "Dolphin", "Falcon", "Fox", "Heron", "Lynx", "Otter", "Panda", "Puffin", "Robin", "Seal", "Wren"];
const COLORS = ["#0f8b8d", "#6b4fc4", "#a8680c", "#1d6fc9", "#b8447e", "#2f8f46", "#c2452d", "#5a6b7a", "#7a8a12", "#9b3fb5", "#1487ad", "#8c5a3c"];

const ME = "tidewire-collab me";
const any = (list) => list[Math.floor(Math.random() * list.length)];

export const me = JSON.parse(sessionStorage.getItem(ME)) ?? { name: `${any(ADJECTIVES)} ${any(ANIMALS)}`, color: any(COLORS) };
changeMe({});

export function changeMe(change) {
  Object.assign(me, change);
  sessionStorage.setItem(ME, JSON.stringify(me));
}

/** @param {Iterable<[number, any]>} others client id and state */
export function showPeople(others) {
  const shown = [...others].sort(([, one], [, other]) => nameOf(one).localeCompare(nameOf(other)));
  role("people").replaceChildren(
    ...[[0, { user: me }, "is-me"], ...shown].map(([, state, className]) => {
      const item = document.createElement("li");
      item.textContent = className ? `${nameOf(state)} (you)` : nameOf(state);
      if (className) item.className = className;
      paint(item, state);
      return item;
    }),
  );
  role("count").textContent = String(shown.length + 1);
}

export const nameOf = ({ user }) => String(user?.name ?? "").slice(0, 40).trim() || "Somebody";

export function paint(element, { user }) {
  if (/^#[0-9a-f]{6}$/i.test(user?.color)) element.style.setProperty("--color", user.color);
}
