// @ts-check
// What the cards share.

import { subscribe } from "../client.js";

/** @typedef {{ stage: HTMLElement, signal: AbortSignal, enter: (state: string) => void }} Miniature */

/**
 * A card: a template, small, on a channel that all visitors share. `start` draws into its stage what it reads until `signal` ends it; then the last
 * state stays. `isHeld`: it keeps a connection. `text` is HTML of ours.
 *
 * @typedef {{ name: string, href?: string, transport: string, text: string, isHeld: boolean, start: (miniature: Miniature) => void,
 *   act: string, press: (stage: HTMLElement) => Promise<unknown> }} Card
 */

export const at = (path) => new URL(path, document.baseURI);
export const json = (method, body, headers = {}) => ({ method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });

/** An element with text and attributes. */
export function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** @param {string} path @param {Miniature} miniature @param {import("../client.js").SubscribeOptions<any>} options */
export const follow = (path, { signal, enter }, options) => subscribe(at(path), { offset: "now", signal, onState: enter, ...options });
