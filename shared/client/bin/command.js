// @ts-check
// The command line: subcommands, their options and help, and the exit code.

import { parseArgs } from "node:util";
import { UsageError, notice } from "./terminal.js";
import * as keys from "./keys.js";
import * as publish from "./publish.js";
import * as tail from "./tail.js";
import * as token from "./token.js";

/**
 * A subcommand.
 *
 * @typedef {object} Subcommand
 * @property {string} summary One line for the list of subcommands.
 * @property {string} help Arguments, options, an example.
 * @property {import("node:util").ParseArgsConfig["options"]} options
 * @property {(values: Record<string, string | undefined>, positionals: string[]) => Promise<number>} run Returns the exit code.
 */

/** @type {Record<string, Subcommand>} */
const SUBCOMMANDS = { keys, token, publish, tail };

const HELP = `Keys, tickets and channels of Tidewire, from a shell.

Usage: tidewire <command> [options]

${Object.entries(SUBCOMMANDS).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`).join("\n")}

Example:
  tidewire tail http://127.0.0.1:8787/feed/demo-machine

\`tidewire <command> --help\` has the options and an example of each. Exit codes: 0 all is well, 1 it failed, 2 the command line
is wrong, 130 Ctrl-C.
`;

/**
 * Runs the command line and returns the exit code.
 *
 * @param {string[]} args
 * @returns {Promise<number>}
 */
export async function run([name, ...args]) {
  // The reader of our output may leave, as `head` does. That is not an error.
  process.stdout.on("error", () => process.exit(0));
  const subcommand = Object.hasOwn(SUBCOMMANDS, name ?? "") ? SUBCOMMANDS[/** @type {string} */ (name)] : undefined;
  if (!subcommand) {
    const isAsked = name === "--help" || name === "-h" || name === "help";
    if (name !== undefined && !isAsked) notice(`tidewire: there is no command ${name}\n`);
    (isAsked ? process.stdout : process.stderr).write(HELP);
    return isAsked ? 0 : 2;
  }
  try {
    const { help, values, positionals } = parse(subcommand, args);
    if (!help) return await subcommand.run(values, positionals);
    process.stdout.write(subcommand.help);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) notice(`tidewire ${name}: ${error.message}\nSee tidewire ${name} --help.`);
    else notice(`tidewire ${name}: ${error instanceof Error ? error.message : error}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/**
 * @param {Subcommand} subcommand
 * @param {string[]} args
 */
function parse({ options }, args) {
  // The beginning of a channel is `-1`, which would parse as an option.
  const from = args.indexOf("--from");
  if (from >= 0 && args[from + 1] === "-1") args.splice(from, 2, "--from=-1");
  try {
    const { values, positionals } = parseArgs({ args, options: { ...options, help: { type: "boolean", short: "h" } }, allowPositionals: true });
    return { help: values.help === true, values: /** @type {Record<string, string | undefined>} */ (values), positionals };
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
}
