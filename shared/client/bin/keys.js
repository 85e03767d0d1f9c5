// @ts-check
// `tidewire keys`: a new key for tickets.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { parseEnv } from "node:util";
import { UsageError, notice } from "./terminal.js";

export const summary = "prints a new TICKET_KEYS, with which a server verifies its tickets";

export const help = `Prints a new value for TICKET_KEYS: one key of 32 random bytes with its id.

Usage: tidewire keys [--id k1] [--as value|dev-vars|env | --into .dev.vars,.env]

  --id ID        Id of the key; letters, digits, \`-\` and \`_\` [default: k1]
  --as FORM      The value alone, a line for Wrangler's .dev.vars, or one for Spin's .env [default: value]
  --into FILES   Writes the key into these files instead, which have none yet; in a copy \`npm run keys\` does it

To change keys, put a new one with another id before the old one, with a comma between. The first mints; all are accepted.
Take the old one out once its last ticket has expired, an hour later at most.

Example:
  tidewire keys --as dev-vars >> .dev.vars
  tidewire keys --as env >> .env
  tidewire keys | npx wrangler secret put TICKET_KEYS
`;

/** @type {import("./command.js").Subcommand["options"]} */
export const options = { id: { type: "string", default: "k1" }, as: { type: "string", default: "value" }, into: { type: "string" } };

/** @type {Record<string, (value: string) => string>} */
const FORMS = {
  value: (value) => value,
  "dev-vars": (value) => `TICKET_KEYS="${value}"`,
  env: (value) => `SPIN_VARIABLE_TICKET_KEYS="${value}"`,
};

/** The form of each file. */
const FILES = [
  [".dev.vars", "dev-vars"],
  [".env", "env"],
];

/** @type {import("./command.js").Subcommand["run"]} */
export async function run({ id = "", as = "", into }) {
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(id)) throw new UsageError("--id must be 1 to 32 letters, digits, `-` and `_`");
  if (!Object.hasOwn(FORMS, as)) throw new UsageError(`--as must be one of ${Object.keys(FORMS).join(", ")}`);
  const key = `${id}:${randomBytes(32).toString("base64url")}`;
  if (into === undefined) process.stdout.write(`${FORMS[as]?.(key)}\n`);
  else write(into.split(","), key);
  return 0;
}

/**
 * Sets the key in each of the files, or in none.
 *
 * @param {string[]} files
 * @param {string} key
 */
function write(files, key) {
  const written = files.map((file) => /** @type {const} */ ([file, filled(file, key)]));
  for (const [file, text] of written) writeFileSync(file, text, { mode: 0o600 });
  notice(`${files.join(" and ")}: the key is written`);
}

/**
 * Returns the file with this key, in place of an empty key or at its end.
 *
 * @param {string} file
 * @param {string} key
 */
function filled(file, key) {
  const form = FORMS[FILES.find(([name = ""]) => basename(file).startsWith(name))?.[1] ?? ""];
  if (!form) throw new UsageError(`--into must be ${FILES.map(([name]) => name).join(" or ")}, or both with a comma between`);
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const line = form(key);
  const name = line.slice(0, line.indexOf("="));
  if (parseEnv(text)[name]) throw new Error(`${file} has a key already; nothing was changed`);
  const kept = text.split("\n").filter((other) => other.split("=")[0]?.trim() !== name);
  return `${kept.join("\n").trimEnd()}\n${line}\n`.trimStart();
}
