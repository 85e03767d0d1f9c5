// The `spin.toml` of a test. Ours declare the settings of the first hour; a test sets others as well.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The manifest, or where it lacks some of these settings a copy in `folder` that declares them and gives them to its components. */
export function declaring(manifest: string, vars: Record<string, string>, folder: string): string {
  const text = readFileSync(manifest, "utf8");
  const names = Object.keys(vars).map((name) => name.toLowerCase());
  const absent = names.filter((name) => !text.includes(`\n${name} = {`));
  if (absent.length === 0) return manifest;
  const each = (line: (name: string) => string) => absent.map(line).join("");
  const copy = join(folder, "spin.toml");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    copy,
    text
      .replaceAll(/^source = "(?!\/)/gm, `source = "${dirname(manifest)}/`)
      .replace("[variables]\n", (table) => table + each((name) => `${name} = { default = "" }\n`))
      // A component has a table of its own for them, or one line.
      .replaceAll(/^\[component\.\w+\.variables\]\n/gm, (table) => table + each((name) => `${name} = "{{ ${name} }}"\n`))
      .replaceAll(/^variables = \{ /gm, (table) => table + each((name) => `${name} = "{{ ${name} }}", `)),
  );
  return copy;
}

/** A copy in `folder` of a manifest, as `functions/README.md` changes it for Redis. `components` has those that are built with it. */
export function onRedis(manifest: string, components: string, folder: string): string {
  const copy = join(folder, "redis.spin.toml");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    copy,
    readFileSync(manifest, "utf8")
      .replaceAll(/^source = ".*\/(\w+\.wasm)"$/gm, `source = "${components}/$1"`)
      .replaceAll(/^sqlite_databases = .*\n(?=allowed_outbound_hosts)/gm, "")
      .replaceAll(/^(allowed_outbound_hosts = \[.*)\]$/gm, '$1, "{{ store_origin }}"]'),
  );
  return copy;
}
