// Other servers of the protocol Durable Streams, which are no functions at the edge: one in Node, one native.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../harness/port.ts";
import { startProgram } from "./program.ts";
import { Absent, type Recipe } from "./served.ts";
import { freshFolder } from "./state.ts";

const NODE_SERVER = fileURLToPath(new URL("peers/durable-streams.mjs", import.meta.url));
const NATIVE_SERVER = "durable-streams-server";

/** npm `@durable-streams/server`, which keeps the streams in files, or in memory. */
export function nodeServer(storage: "files" | "memory"): Recipe {
  return {
    name: `node-${storage}`,
    async start() {
      const [port, folder] = [await freePort(), freshFolder("node")];
      return startProgram([process.execPath, "--no-warnings", NODE_SERVER, String(port), ...(storage === "files" ? [join(folder, "streams")] : [])], port, folder);
    },
  };
}

/** The crate `durable-streams`, with a log that is synced: what a machine allows. */
export const nativeServer: Recipe = {
  name: "native",
  async start() {
    const program = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, NATIVE_SERVER)).find(existsSync);
    if (!program) throw new Absent(`\`${NATIVE_SERVER}\` is not on PATH; \`cargo install durable-streams\` installs it`);
    const [port, folder] = [await freePort(), freshFolder("native")];
    return startProgram([program, "--port", String(port), "--data-dir", join(folder, "streams"), "--durability", "wal"], port, folder);
  },
};
