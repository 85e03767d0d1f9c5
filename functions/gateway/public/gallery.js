// @ts-check
// The cards: those that can be seen are live, at most three of them at once, the rest show their last state.

import { CARDS } from "./cards/cards.js";
import { isPlugRunning } from "./plug.js";
import { SLOTS, takeSlot } from "./slots.js";

const CLOSE_MS = 100; // until a connection that was ended is gone
const AGAIN_MS = 2_000; // another tab may have given streams back

const cards = CARDS.map(draw);
/** How much of each card can be seen. */
const visible = new Map();
/** The cards that are live, and what ends each. */
const live = new Map();
let chosen;
let turn = Promise.resolve();

function draw(miniature) {
  const card = /** @type {any} */ (document.querySelector('[data-role="card"]')).content.firstElementChild.cloneNode(true);
  const part = (name) => card.querySelector(name);
  card.dataset.template = miniature.name;
  if (miniature.href) part("h3").append(Object.assign(document.createElement("a"), { href: miniature.href, textContent: miniature.name }));
  else part("h3").textContent = miniature.name;
  part(".transport").textContent = miniature.transport;
  part(".text").innerHTML = miniature.text;
  part(".act").textContent = miniature.act;
  part(".act").onclick = () => miniature.press(part(".stage")).catch(() => enter(card, "waiting"));
  for (const event of ["pointerenter", "focusin"]) card.addEventListener(event, () => choose(card));
  enter(card, "paused");
  document.querySelector('[data-role="cards"]').append(card);
  return Object.assign(card, { miniature });
}

function enter(card, state) {
  card.querySelector(".state").textContent = card.dataset.state = state;
}

/** The card that somebody points at goes before the others. */
function choose(card) {
  chosen = card;
  balance();
}

/** Starts what is to be live, and ends the rest. One after the other, or two could take the same slot. */
function balance() {
  turn = turn.then(async () => {
    const isSeen = !document.hidden && !isPlugRunning();
    const rank = (card) => (card === chosen ? 2 : visible.get(card));
    const seen = isSeen ? cards.filter((card) => visible.get(card)).sort((one, other) => rank(other) - rank(one)) : [];
    const held = seen.filter(({ miniature }) => miniature.isHeld).slice(0, SLOTS);
    const wanted = seen.filter((card) => !card.miniature.isHeld || held.includes(card));
    for (const [card, end] of live) if (!wanted.includes(card)) end();
    for (const card of wanted) {
      if (live.has(card) || (await begin(card))) continue;
      // Other tabs have the rest: of ours, the one that matters least gives way.
      const least = held.slice(held.indexOf(card)).findLast((one) => live.has(one));
      live.get(least)?.();
    }
  });
}

/** Answers whether there was a slot for it. */
async function begin(card) {
  const release = card.miniature.isHeld ? await takeSlot() : () => {};
  if (!release) return false;
  const controller = new AbortController();
  live.set(card, () => {
    live.delete(card);
    controller.abort();
    enter(card, "paused");
    setTimeout(() => {
      release();
      balance();
    }, CLOSE_MS);
  });
  card.miniature.start({
    stage: card.querySelector(".stage"),
    signal: controller.signal,
    enter: (state) => controller.signal.aborted || enter(card, state),
  });
  return true;
}

const observer = new IntersectionObserver(
  (changes) => {
    for (const { target, intersectionRatio } of changes) visible.set(target, intersectionRatio);
    balance();
  },
  { threshold: [0, 0.1, 0.5, 0.9] },
);
for (const card of cards) observer.observe(card);
document.addEventListener("visibilitychange", balance);
addEventListener("plug", balance);
setInterval(balance, AGAIN_MS);
// A page that is left must not seem present until its lease is over.
addEventListener("pagehide", () => live.forEach((end) => end()));
