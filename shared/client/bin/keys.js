// @ts-check
// `tidewire keys`: a fresh key for tickets.

import { randomBytes } from "node:crypto";
import { UsageError } from "./terminal.js";

export const summary = "prints a fresh TICKET_KEYS, by which a server knows its tickets";

export const help = `Prints a fresh value for TICKET_KEYS: one key of 32 random bytes with its id.

Usage: tidewire keys [--id k1] [--as value|dev-vars|env]

  --id ID     Id of the key; letters, digits, \`-\` and \`_\` [default: k1]
  --as FORM   The value alone, a line for Wrangler's .dev.vars, or one for Spin's .env [default: value]

To change keys, put a new one with another id before the old one, with a comma between. The first mints; all are accepted.
Take the old one out once its last ticket has expired, an hour later at most.

Example:
  tidewire keys --as dev-vars >> .dev.vars
  tidewire keys --as env >> .env
  tidewire keys | npx wrangler secret put TICKET_KEYS
`;

/** @type {import("./command.js").Subcommand["options"]} */
export const options = { id: { type: "string", default: "k1" }, as: { type: "string", default: "value" } };

/** @type {Record<string, (value: string) => string>} */
const FORMS = {
  value: (value) => value,
  "dev-vars": (value) => `TICKET_KEYS="${value}"`,
  env: (value) => `SPIN_VARIABLE_TICKET_KEYS="${value}"`,
};

/** @type {import("./command.js").Subcommand["run"]} */
export async function run({ id = "", as = "" }) {
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(id)) throw new UsageError("--id takes 1 to 32 letters, digits, `-` and `_`");
  if (!Object.hasOwn(FORMS, as)) throw new UsageError(`--as takes ${Object.keys(FORMS).join(", ")}`);
  process.stdout.write(`${FORMS[as]?.(`${id}:${randomBytes(32).toString("base64url")}`)}\n`);
  return 0;
}
