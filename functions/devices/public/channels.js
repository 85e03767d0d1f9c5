// @ts-check
// The two channels of a device: `{device}` holds lines "ID COMMAND", `{device}:done` lines "ID done|failed NOTE".

export const device = new URLSearchParams(location.search).get("channel") || "demo-lamp";
// `./` keeps a colon in the name from being read as a scheme.
export const commandsUrl = new URL(`./${device.replace(/[#?%]/g, encodeURIComponent)}`, document.baseURI);
export const answersUrl = new URL(`${commandsUrl}:done`);

/** How each of the two long-polls. */
export const LONG_POLLS = /** @type {const} */ ({ transports: ["long-poll"], backoff: { baseMs: 1_000, capMs: 10_000 } });

/** The first words of a line, and the rest of it. */
export function words(line, count) {
  const parts = line.trim().split(/\s+/);
  return [...parts.slice(0, count), parts.slice(count).join(" ")];
}

/** @type {(name: string) => any} the page is ours: what has a role is there */
export const role = (name) => document.querySelector(`[data-role="${name}"]`);

export function notify(message) {
  role("notice").textContent = message;
  role("notice").hidden = !message;
}
