// The size of the client in a page.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const LIMIT_BYTES = 6.5 * 1024;

/** The module that every function serves to its page, which has no build step. This test generates it, so that it is always the client in the sources. */
const MODULE = fileURLToPath(new URL("../../shared/core/client/client.js", import.meta.url));

test("the client is at most 6.5 KB, minified and gzipped, and needs nothing else", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("../../shared/client/src/index.ts", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    banner: { js: "// Generated from shared/client/src by tests/client/size.test.ts; do not edit." },
    platform: "browser",
    target: "es2022",
    metafile: true,
    write: false,
  });
  const size = gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
  console.log(`client: ${outputFiles[0]!.contents.length} bytes, ${size} gzipped`);
  expect(size).toBeLessThanOrEqual(LIMIT_BYTES);
  expect(Object.keys(metafile.inputs).filter((input) => !input.includes("client/src/"))).toEqual([]);
  if (process.env.UPDATE_EXPECT) writeFileSync(MODULE, outputFiles[0]!.contents);
  expect(readFileSync(MODULE, "utf8") === outputFiles[0]!.text, "shared/core/client/client.js is stale: run `UPDATE_EXPECT=1 cargo harness test --suite client/size`").toBe(true);
});
