// @ts-check
// `tidewire keys`: a new key for tickets, or for Web Push.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { parseEnv } from "node:util";
import { UsageError, notice } from "./terminal.js";

export const summary = "prints a new TICKET_KEYS, with which a server verifies its tickets, or VAPID_KEYS for Web Push";

export const help = `Prints a new value for TICKET_KEYS: one key of 32 random bytes with its id.

Usage: tidewire keys [--vapid] [--id k1] [--as value|dev-vars|env | --into .dev.vars,.env]

  --vapid        A value for VAPID_KEYS, with which a server signs its Web Push messages, instead; its public key is printed beside it
  --id ID        Id of the key; letters, digits, \`-\` and \`_\` [default: k1]
  --as FORM      The value alone, a line for Wrangler's .dev.vars, or one for Spin's .env [default: value]
  --into FILES   Writes the key into these files instead, which have none yet; in a copy \`npm run keys\` does it

To change keys, put a new one with another id before the old one, with a comma between. The first mints; all are accepted.
Take the old one out once its last ticket has expired, an hour later at most. A subscription to Web Push ends with its key.

Example:
  tidewire keys --as dev-vars >> .dev.vars
  tidewire keys --as env >> .env
  tidewire keys | npx wrangler secret put TICKET_KEYS
  tidewire keys --vapid | npx wrangler secret put VAPID_KEYS
`;

/** @type {import("./command.js").Subcommand["options"]} */
export const options = { vapid: { type: "boolean" }, id: { type: "string", default: "k1" }, as: { type: "string", default: "value" }, into: { type: "string" } };

/** @type {Record<string, (name: string, value: string) => string>} */
const FORMS = {
  value: (_, value) => value,
  "dev-vars": (name, value) => `${name}="${value}"`,
  env: (name, value) => `SPIN_VARIABLE_${name}="${value}"`,
};

/** The form of each file. */
const FILES = [
  [".dev.vars", "dev-vars"],
  [".env", "env"],
];

/** @type {import("./command.js").Subcommand["run"]} */
export async function run({ vapid, id = "", as = "", into }) {
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(id)) throw new UsageError("--id must be 1 to 32 letters, digits, `-` and `_`");
  if (!Object.hasOwn(FORMS, as)) throw new UsageError(`--as must be one of ${Object.keys(FORMS).join(", ")}`);
  const name = vapid ? "VAPID_KEYS" : "TICKET_KEYS";
  const pair = vapid ? keyPair() : undefined;
  const key = `${id}:${pair?.privateKey ?? randomBytes(32).toString("base64url")}`;
  if (into === undefined) process.stdout.write(`${FORMS[as]?.(name, key)}\n`);
  else write(into.split(","), name, key);
  if (pair) notice(`public key: ${pair.publicKey}`);
  return 0;
}

/** A key pair of P-256 (RFC 8292), in the form of npm's `web-push`: the private number, and the point uncompressed. */
function keyPair() {
  const { d = "", x = "", y = "" } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
  return { privateKey: d, publicKey: point.toString("base64url") };
}

/**
 * Sets the key in each of the files, or in none.
 *
 * @param {string[]} files
 * @param {string} name
 * @param {string} key
 */
function write(files, name, key) {
  const written = files.map((file) => /** @type {const} */ ([file, filled(file, name, key)]));
  for (const [file, text] of written) writeFileSync(file, text, { mode: 0o600 });
  notice(`${files.join(" and ")}: the key is written`);
}

/**
 * Returns the file with this key, in place of an empty key or at its end.
 *
 * @param {string} file
 * @param {string} setting
 * @param {string} key
 */
function filled(file, setting, key) {
  const form = FORMS[FILES.find(([name = ""]) => basename(file).startsWith(name))?.[1] ?? ""];
  if (!form) throw new UsageError(`--into must be ${FILES.map(([name]) => name).join(" or ")}, or both with a comma between`);
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const line = form(setting, key);
  const name = line.slice(0, line.indexOf("="));
  if (parseEnv(text)[name]) throw new Error(`${file} has a key already; nothing was changed`);
  const kept = text.split("\n").filter((other) => other.split("=")[0]?.trim() !== name);
  return `${kept.join("\n").trimEnd()}\n${line}\n`.trimStart();
}
