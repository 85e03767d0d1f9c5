// workerd alone, with a configuration of its own: Miniflare in front would add as much to a request as a small Worker takes.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { freePort } from "../harness/port.ts";
import { BUILD } from "../harness/server.ts";
import { startProgram } from "./program.ts";
import type { Recipe, Served } from "./served.ts";
import { freshFolder } from "./state.ts";

/** The program that miniflare brings. */
const WORKERD = () => createRequire(import.meta.url).resolve(`@cloudflare/workerd-linux-${process.arch === "arm64" ? "arm64" : "64"}/bin/workerd`);

const MANIFEST = readFileSync(new URL("../../wrangler.toml", import.meta.url), "utf8");
const DATE = /^compatibility_date = (".*")$/m.exec(MANIFEST)![1];
const FLAGS = /^compatibility_flags = (\[.*\])$/m.exec(MANIFEST)![1];

export interface Worker {
  /** The file of tests/bench/peers; without it the Worker is ours. */
  peer?: string;
  /** Its Durable Objects: the binding and the class. */
  objects: Record<string, string>;
  vars?: Record<string, string>;
}

/** Ours, as `cargo harness test` builds it. */
export const OURS: Worker = { objects: { FEED_CHANNEL: "FeedChannel" }, vars: { OPEN_ACCESS: "true", STREAM_MAX_FRAMES: "1000000000" } };

export function workerd(name: string, worker: Worker): Recipe {
  return { name, start: () => launch(worker) };
}

/** Resolves when it answers, or with what `until` begins at the start of the process. */
export async function launch(worker: Worker, until?: (port: number) => Promise<unknown>): Promise<Served> {
  const folder = freshFolder("workerd");
  const state = join(folder, "objects");
  mkdirSync(state);
  const modules = await write(worker, folder);
  const port = await freePort();
  const file = join(folder, "config.capnp");
  writeFileSync(file, config(worker, modules, port, state));
  return startProgram([WORKERD(), "serve", "--experimental", file], port, folder, until);
}

/** Writes the modules beside the configuration, which can embed nothing else. */
async function write({ peer }: Worker, folder: string): Promise<Record<string, string>> {
  if (!peer) {
    for (const file of ["index.js", "index_bg.wasm"]) cpSync(join(BUILD, file), join(folder, file));
    return { "index.js": "esModule", "index_bg.wasm": "wasm" };
  }
  await build({
    entryPoints: [fileURLToPath(new URL(`peers/${peer}`, import.meta.url))],
    outfile: join(folder, "peer.js"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "esnext",
    external: ["cloudflare:workers"],
    logLevel: "warning",
  });
  return { "peer.js": "esModule" };
}

function config({ objects, vars = {} }: Worker, modules: Record<string, string>, port: number, state: string): string {
  const list = Object.entries(modules).map(([name, type]) => `(name = "${name}", ${type} = embed "${name}")`);
  const bindings = [
    ...Object.entries(objects).map(([binding, className]) => `(name = "${binding}", durableObjectNamespace = "${className}")`),
    ...Object.entries(vars).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`),
  ];
  const namespaces = Object.values(objects).map((className) => `(className = "${className}", uniqueKey = "${className}", enableSql = true)`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = "${state}", writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${list.join(", ")}],
  compatibilityDate = ${DATE},
  compatibilityFlags = ${FLAGS},
  bindings = [${bindings.join(", ")}],
  durableObjectNamespaces = [${namespaces.join(", ")}],
  durableObjectStorage = (localDisk = "disk"),
);
`;
}
