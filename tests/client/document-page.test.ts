// What the page of `collab` loads from npm, and what it costs.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const LIMIT_BYTES = 60 * 1024;
/** All that the page uses of `yjs`; esbuild leaves out much of the rest. */
const USED = [
  "Doc",
  "UndoManager",
  "applyUpdate",
  "createAbsolutePositionFromRelativePosition",
  "createRelativePositionFromJSON",
  "createRelativePositionFromTypeIndex",
  "encodeStateAsUpdate",
];

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const PUBLIC = path("functions/collab/public");
const MODULE = `${PUBLIC}/yjs.js`;

/** Name, version and licence of an installed package. */
function credit(name: string): string {
  const { version } = JSON.parse(readFileSync(path(`tests/node_modules/${name}/package.json`), "utf8")) as { version: string };
  return `${name} ${version}\n\n${readFileSync(path(`tests/node_modules/${name}/LICENSE`), "utf8").trim()}`;
}

test("the module of the page is made of the pinned packages, with their licences", async () => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export { ${USED.join(", ")} } from "yjs";`, resolveDir: path("tests") },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    legalComments: "none",
    banner: { js: `/*\nGenerated from npm packages by tests/client/document-page.test.ts; do not edit.\n\n${["yjs", "lib0"].map(credit).join("\n\n")}\n*/` },
    metafile: true,
    write: false,
  });
  const packages = new Set(Object.keys(metafile.inputs).flatMap((input) => /node_modules\/([^/]+)\//.exec(input)?.[1] ?? []));
  expect([...packages].sort()).toEqual(["lib0", "yjs"]);
  if (process.env.UPDATE_EXPECT) writeFileSync(MODULE, outputFiles[0]!.contents);
  expect(
    readFileSync(MODULE, "utf8") === outputFiles[0]!.text,
    "functions/collab/public/yjs.js is stale: run `UPDATE_EXPECT=1 cargo harness test --suite client/document-page`",
  ).toBe(true);
});

test("the page weighs at most 60 KB, gzipped, with all that it loads", () => {
  const served = readdirSync(PUBLIC).filter((name) => !name.endsWith(".d.ts"));
  const files = [...served.map((name) => `${PUBLIC}/${name}`), path("shared/core/client/client.js")];
  expect(served).toContain("yjs.js");
  const sizes = files.map((file) => gzipSync(readFileSync(file), { level: 9 }).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`collab: ${total} bytes gzipped in ${files.length} files, ${sizes[files.indexOf(MODULE)]} of them yjs`);
  expect(total).toBeLessThanOrEqual(LIMIT_BYTES);
});
