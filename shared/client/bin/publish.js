// @ts-check
// `tidewire publish`: events from the command line or from standard input.

import { client } from "./client.js";
import { UsageError, channelUrl, credential } from "./terminal.js";

export const summary = "publishes an event, or each line of standard input";

export const help = `Publishes the event, or each line of standard input as one, and prints the offset after the last.

Usage: tidewire publish URL [JSON] [--token TOKEN]

  URL             A channel
  JSON            One event; without it one a line of standard input
  --token TOKEN   A ticket, or a token of your provider; also TIDEWIRE_TOKEN in the environment

When it returns, all is stored. What is lost on the way is sent again and stored once.

Example:
  tidewire publish http://127.0.0.1:8787/feed/demo-room '{"at":0,"values":{"answer":42}}'
  seq 1 1000 | tidewire publish http://127.0.0.1:8787/feed/demo-numbers
`;

/** @type {import("./command.js").Subcommand["options"]} */
export const options = { token: { type: "string" } };

/** Lines in one request. A chunk of a pipe is 64 KiB, so its lines also fit the limits of a request's bytes. */
const MAX_BATCH = 500;

/** @type {import("./command.js").Subcommand["run"]} */
export async function run({ token }, [url, json, ...more]) {
  if (more.length > 0) throw new UsageError("give one URL and one event; quote the JSON");
  const target = channelUrl(url);
  const { publisher } = await client();
  const send = publisher(target, credential(token));
  let offset;
  if (json !== undefined) offset = await send([event(json, "the event")]);
  else {
    let line = 0;
    for await (const lines of batches(process.stdin)) {
      const first = line + 1;
      const events = lines.flatMap((text) => {
        line += 1;
        return text.trim() === "" ? [] : [event(text, `line ${line}`)];
      });
      if (events.length === 0) continue;
      offset = await send(events).catch((error) => {
        throw new Error(`${first === line ? `line ${line}` : `lines ${first} to ${line}`}: ${error.message}`, { cause: error });
      });
    }
  }
  if (offset !== undefined) process.stdout.write(`${offset}\n`);
  return 0;
}

/**
 * @param {string} text
 * @param {string} place
 */
function event(text, place) {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${place} is not JSON (a text is: '"hello"')`);
  }
}

/**
 * The lines that have arrived so far, so that one request sends all of them.
 *
 * @param {NodeJS.ReadStream} input
 */
async function* batches(input) {
  let rest = "";
  for await (const chunk of input.setEncoding("utf8")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    while (lines.length > 0) yield lines.splice(0, MAX_BATCH);
  }
  if (rest) yield [rest];
}
