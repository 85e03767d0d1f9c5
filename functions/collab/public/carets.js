// @ts-check
// The cursors and selections of the others, drawn over the text area.
//
// A text area says of no letter where it is. So the same text lies under it in an element of the same size and font, without colour, and has the cursors in it.
// That element also gives the text area its height: the page scrolls, and the two are never apart.

import { nameOf, paint } from "./people.js";
import { createAbsolutePositionFromRelativePosition, createRelativePositionFromJSON } from "./yjs.js";

/** @param {HTMLElement} mirror @param {import("yjs").Text} text @param {Map<number, any>} others */
export function drawCarets(mirror, text, others) {
  const value = text.toString();
  const ranges = [...others.values()].flatMap((state) => {
    const [anchor, head] = [state.cursor?.anchor, state.cursor?.head].map((position) => place(position, text));
    return anchor === undefined || head === undefined ? [] : [{ state, start: Math.min(anchor, head), end: Math.max(anchor, head), head }];
  });
  const cuts = new Set([0, value.length, ...ranges.flatMap(({ start, end }) => [start, end])]);
  const points = [...cuts].sort((one, other) => one - other);
  mirror.replaceChildren();
  points.forEach((point, index) => {
    for (const { state, head } of ranges) if (head === point) mirror.append(caret(state));
    const next = points[index + 1];
    if (next === undefined) return;
    const selected = ranges.find(({ start, end }) => start <= point && next <= end);
    mirror.append(selected ? selection(value.slice(point, next), selected.state) : value.slice(point, next));
  });
  // An empty last line has a height in a text area, and here only with something in it.
  mirror.append("\u200b");
}

/** A state is text of strangers: nothing, where it is not a position. */
function place(position, text) {
  try {
    const found = createAbsolutePositionFromRelativePosition(createRelativePositionFromJSON(position), text.doc);
    return found?.type === text ? found.index : undefined;
  } catch {
    return undefined;
  }
}

function caret(state) {
  const made = document.createElement("span");
  made.className = "caret";
  // Not as text: it would stand among the letters.
  made.dataset.name = nameOf(state);
  paint(made, state);
  return made;
}

function selection(words, state) {
  const made = document.createElement("mark");
  made.textContent = words;
  paint(made, state);
  return made;
}
