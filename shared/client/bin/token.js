// @ts-check
// `tidewire token`: mints a ticket, a JWT that opens one channel or a prefix for some minutes.

import { createHmac, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { UsageError } from "./terminal.js";

export const summary = "mints a ticket for a channel";

export const help = `Mints a ticket: it opens one channel, or all below a prefix, until it expires.

Usage: tidewire token --function NAME --channel NAME [--rights read,publish] [--subject ID] [--ttl SECONDS]

  --function NAME   The function that is to accept it, such as chat
  --channel NAME    A channel, or a prefix that ends in \`*\`
  --rights LIST     Of read, publish, presence, manage [default: read]
  --subject ID      Whom it is for
  --ttl SECONDS     How long it opens anything, 1 to 3600 [default: 300]

The key is the first of TICKET_KEYS: in the environment, else in .dev.vars, else in .env of this folder.

Example:
  tidewire token --function chat --channel 'team-1:*' --rights read,publish,presence --subject ann
  TIDEWIRE_TOKEN=$(tidewire token --function feed --channel room-1) tidewire tail http://127.0.0.1:8787/feed/room-1
`;

/** @type {import("./command.js").Subcommand["options"]} */
export const options = {
  function: { type: "string" },
  channel: { type: "string" },
  rights: { type: "string", default: "read" },
  subject: { type: "string" },
  ttl: { type: "string", default: "300" },
};

const RIGHTS = ["read", "publish", "presence", "manage"];
/** Longest life that a server accepts, in seconds. */
const MAX_TTL_S = 3_600;

/** @type {import("./command.js").Subcommand["run"]} */
export async function run({ function: audience, channel, rights = "", subject, ttl = "" }) {
  if (!audience) throw new UsageError("--function is missing");
  if (!channel || /\*./.test(channel)) throw new UsageError("--channel must be a name, or a prefix that ends in `*`");
  const granted = rights.split(",");
  if (!granted.every((right) => RIGHTS.includes(right))) throw new UsageError(`--rights must be of ${RIGHTS.join(", ")}, with commas between`);
  const seconds = Number(ttl);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_TTL_S) throw new UsageError(`--ttl must be 1 to ${MAX_TTL_S} seconds`);
  const iat = Math.floor(Date.now() / 1_000);
  // The `jti`, by which a ticket can be revoked.
  const claims = { aud: audience, ch: channel, rights: granted, sub: subject, iat, exp: iat + seconds, jti: randomBytes(9).toString("base64url") };
  process.stdout.write(`${sign(claims, ticketKeys())}\n`);
  return 0;
}

/** @returns {string} */
function ticketKeys() {
  const files = [".dev.vars", ".env"].filter((file) => existsSync(file)).map((file) => parseEnv(readFileSync(file, "utf8")));
  for (const settings of [process.env, ...files]) {
    const keys = settings.TICKET_KEYS || settings.SPIN_VARIABLE_TICKET_KEYS;
    if (keys) return keys;
  }
  throw new UsageError("there is no TICKET_KEYS in the environment, .dev.vars or .env: `tidewire keys` makes one");
}

/**
 * Returns a JWT signed by HS256 with the first key.
 *
 * @param {object} claims
 * @param {string} keys
 */
function sign(claims, keys) {
  const [kid = "", key = ""] = (keys.split(",")[0] ?? "").trim().split(":");
  const secret = Buffer.from(key, "base64url");
  // Not the key itself: this message may appear in a log.
  if (!kid || secret.length < 32) throw new UsageError("TICKET_KEYS has to be an id, a colon and at least 32 bytes as base64url");
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT", kid })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
