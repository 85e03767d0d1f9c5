// @ts-check
// Output for the person at the terminal.

import { styleText } from "node:util";

/** The command line is invalid. */
export class UsageError extends Error {}

/**
 * Prints a message that is not a result. Results go to standard output, so that they can be piped.
 *
 * @param {string} text
 */
export function notice(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * Text in a colour, if a person sees it: not in a pipe, nor if `NO_COLOR` is set.
 *
 * @param {NodeJS.WriteStream} stream
 * @param {"dim" | "cyan" | "yellow" | "red"} colour
 * @param {string} text
 */
export function paint(stream, colour, text) {
  return stream.isTTY && !process.env.NO_COLOR ? styleText(colour, text) : text;
}

/**
 * The address of a channel: the only required argument.
 *
 * @param {string | undefined} text
 */
export function channelUrl(text) {
  if (text === undefined) throw new UsageError("give the URL of a channel");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Without the text: a password must not appear in a log.
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError("the URL of a channel must be http or https, over a WebSocket too");
  if (url.username || url.password) throw new UsageError("the URL must not have a user or a password: use --token, or TIDEWIRE_TOKEN in the environment");
  if (url.href.includes("#")) throw new UsageError("the URL must not have a #fragment; in the name of a channel write %23 for `#`");
  return url;
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
 * Whether it is a ticket, which a WebSocket carries too. Like a server, it checks the algorithm.
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
