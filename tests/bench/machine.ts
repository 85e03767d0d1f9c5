// What a run ran on: the machine, the commit, and the versions of what is compared.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { RUNTIME } from "../harness/platform.ts";
import { isPinned } from "./processor.ts";
import { isInMemory } from "./state.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGES = ["workerd", "partyserver", "y-partyserver", "yjs", "hono", "@durable-streams/server"];

/** Rows of a table: what, and its value. */
export function facts(): [string, string][] {
  const cores = cpus();
  return [
    ["commit", commit()],
    ["machine", `${cores.length} cores, ${cores[0]?.model ?? "unknown"}; Linux ${release()}; ${Math.round(totalmem() / 2 ** 30)} GB`],
    ["load before the run", loadavg().map((load) => load.toFixed(1)).join(", ")],
    ["cores", isPinned ? "the servers have one, the load another" : "shared by servers and load: `taskset` or a second core is missing"],
    ["stores", isInMemory ? "in memory: a sync takes no time" : "on disk"],
    ["Spin", RUNTIME === "spin" ? run(process.env.TIDEWIRE_SPIN ?? "spin", ["--version"]) : `tests/spin-host, built for ${/\brelease\b/.test(process.env.TIDEWIRE_SPIN_HOST ?? "") ? "release" : "development"}, wasmtime ${wasmtime()}`],
    ["peers", [`Node ${process.versions.node}`, ...PACKAGES.map((name) => `${name} ${version(name)}`)].join(", ")],
  ];
}

/** The commit, and whether what was built differs from it. */
function commit(): string {
  const changes = run("git", ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!tests/bench/RESULTS.md", ":!tests/bench/plots"]);
  return `${run("git", ["rev-parse", "--short", "HEAD"])}${changes ? ", with changes" : ""}`;
}

function run(command: string, args: string[]): string {
  try {
    return execFileSync(command, args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}

function version(name: string): string {
  // Not every package exports its manifest.
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  for (const folder of folders) {
    try {
      return (JSON.parse(readFileSync(`${folder}/${name}/package.json`, "utf8")) as { version: string }).version;
    } catch {
      // It is in another of the folders.
    }
  }
  return "not installed";
}

function wasmtime(): string {
  const lock = readFileSync(new URL("../spin-host/Cargo.lock", import.meta.url), "utf8");
  return /^name = "wasmtime"\nversion = "(.*)"$/m.exec(lock)?.[1] ?? "unknown";
}
