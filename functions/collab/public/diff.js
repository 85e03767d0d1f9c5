// @ts-check
// The smallest change between two texts, as one deletion and one insertion.

/**
 * `caret` is where the edit ended, counted in `after`: without it, a letter that is typed between equal letters could be taken for its neighbour, and a
 * cursor of somebody else would jump over it.
 *
 * @param {string} before @param {string} after @param {number} [caret]
 * @returns {{ at: number, deleted: number, inserted: string }}
 */
export function difference(before, after, caret = after.length) {
  const shorter = Math.min(before.length, after.length);
  let tail = 0;
  const longestTail = Math.min(shorter, after.length - caret);
  while (tail < longestTail && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  let at = 0;
  while (at < shorter - tail && before[at] === after[at]) at += 1;
  // The caret stood before the edit's end, as after a drop of text.
  while (tail < shorter - at && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  // Half a character is none: of a pair of surrogates both halves change.
  if (isHigh(before[at - 1]) || isHigh(after[at - 1])) at -= 1;
  if (tail && (isLow(before.at(-tail)) || isLow(after.at(-tail)))) tail -= 1;
  return { at, deleted: before.length - tail - at, inserted: after.slice(at, after.length - tail) };
}

const isHigh = (unit) => unit >= "\ud800" && unit <= "\udbff";
const isLow = (unit) => unit >= "\udc00" && unit <= "\udfff";
