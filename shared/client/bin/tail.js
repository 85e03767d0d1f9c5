// @ts-check
// `tidewire tail`: the events of a channel, and the transport that delivers them.

import { client } from "./client.js";
import { UsageError, channelUrl, credential, notice, paint } from "./terminal.js";

export const summary = "prints the events of a channel as they arrive";

export const help = `Prints the events of a channel as they arrive: offset, age, transport and data, with tabs between.

Usage: tidewire tail URL [--from OFFSET] [--transport LIST] [--count N] [--token TOKEN]

  URL                A channel
  --from OFFSET      Read after this offset; -1 is the beginning, now the tail [default: now]
  --transport LIST   Of websocket, sse, long-poll, poll, in the order of trying [default: all]
  --count N          End after so many events
  --token TOKEN      A ticket, or a token of your provider; also TIDEWIRE_TOKEN in the environment

The age is the time since the event's own \`at\` (milliseconds since 1970), where it has one. Gaps, reconnections and errors are
told on standard error, and counted at the end.

Example:
  tidewire tail http://127.0.0.1:8787/feed/demo-machine --transport sse --from -1
  tidewire tail http://127.0.0.1:8787/feed/demo-machine | cut -f4
`;

/** @type {import("./command.js").Subcommand["options"]} */
export const options = {
  from: { type: "string", default: "now" },
  transport: { type: "string" },
  count: { type: "string" },
  token: { type: "string" },
};

const TRANSPORTS = /** @type {const} */ (["websocket", "sse", "long-poll", "poll"]);
/** What a shell reports for a command that Ctrl-C ended. */
const INTERRUPTED = 130;

/** @type {import("./command.js").Subcommand["run"]} */
export async function run({ from = "now", transport, count = "Infinity", token }, [url, ...more]) {
  if (more.length > 0) throw new UsageError("say one URL");
  const target = channelUrl(url);
  const transports = transport?.split(",").map((name) => TRANSPORTS.find((known) => known === name));
  if (transports?.includes(undefined)) throw new UsageError(`--transport must be of ${TRANSPORTS.join(", ")}, with commas between`);
  const wanted = Number(count);
  if (!(wanted >= 1)) throw new UsageError("--count must be a number, at least 1");

  const { subscribe } = await client();
  const seen = { events: 0, gaps: 0, reconnects: 0, errors: 0 };
  let isInterrupted = false;
  let hasBeenLive = false;
  const subscription = subscribe(target, {
    offset: from,
    ...(transports && { transports: /** @type {import("../src/index.ts").Transport[]} */ (transports) }),
    ...credential(token),
    onState: (state, transport) => {
      if (state === "live") {
        if (hasBeenLive) seen.reconnects += 1;
        notice(paint(process.stderr, "dim", `${hasBeenLive ? `reconnect ${seen.reconnects}: ` : ""}live over ${transport}`));
        hasBeenLive = true;
      } else if (state === "finished") notice("the channel is finished");
    },
    onGap: ({ requested, earliest }) => {
      seen.gaps += 1;
      notice(paint(process.stderr, "yellow", `gap: the events after ${requested} are gone; resumes from ${earliest}`));
    },
    onError: (error) => {
      seen.errors += 1;
      if (error.retryable) notice(paint(process.stderr, "yellow", error.message));
    },
  });
  const interrupt = () => {
    isInterrupted = true;
    subscription.close();
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    for await (const { offset, data } of subscription) {
      seen.events += 1;
      const { stdout } = process;
      const line = [paint(stdout, "dim", offset), age(data), paint(stdout, "cyan", subscription.transport), text(data)];
      stdout.write(`${line.join("\t")}\n`);
      if (seen.events >= wanted) break;
    }
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    notice(Object.entries(seen).map(([what, number]) => `${number} ${number === 1 ? what.slice(0, -1) : what}`).join(", "));
  }
  return isInterrupted ? INTERRUPTED : 0;
}

/**
 * The time since the event's own time, or `-`.
 *
 * @param {unknown} data
 */
function age(data) {
  const at = typeof data === "object" && data !== null && "at" in data ? data.at : undefined;
  if (typeof at !== "number") return "-";
  const ms = Date.now() - at;
  return ms < 10_000 ? `${ms} ms` : `${Math.round(ms / 1_000)} s`;
}

/**
 * The data on one line, without control characters for the terminal.
 *
 * @param {unknown} data
 */
function text(data) {
  const plain = data instanceof Uint8Array ? Buffer.from(data).toString("base64") : JSON.stringify(data);
  return plain.replace(/[\u007f-\u009f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
