// @ts-check
// What is said to whoever sits there.

import { styleText } from "node:util";

/** The command line is wrong. */
export class UsageError extends Error {}

/**
 * Says something that is no result. Results go to standard output, so that they can be piped.
 *
 * @param {string} text
 */
export function notice(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * Text in a colour, where somebody sees it: not in a pipe, nor where `NO_COLOR` is set.
 *
 * @param {NodeJS.WriteStream} stream
 * @param {"dim" | "cyan" | "yellow" | "red"} colour
 * @param {string} text
 */
export function paint(stream, colour, text) {
  return stream.isTTY && !process.env.NO_COLOR ? styleText(colour, text) : text;
}

/**
 * The address of a channel: the one argument that has to be there.
 *
 * @param {string | undefined} text
 */
export function channelUrl(text) {
  if (text === undefined) throw new UsageError("say the URL of a channel");
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) throw new UsageError(`${text} is no http or https URL`);
  return new URL(text);
}

/**
 * The credential of `--token`, or of the environment, which keeps it out of the list of processes.
 *
 * @param {string | undefined} token
 */
export function credential(token) {
  const text = token ?? process.env.TIDEWIRE_TOKEN;
  if (!text) return {};
  return isTicket(text) ? { ticket: () => text } : { token: () => text };
}

/**
 * Whether it is a ticket, which a WebSocket carries too: by its algorithm, as servers tell them.
 *
 * @param {string} text
 */
function isTicket(text) {
  try {
    return JSON.parse(Buffer.from(text.split(".")[0] ?? "", "base64url").toString()).alg === "HS256";
  } catch {
    return false;
  }
}
