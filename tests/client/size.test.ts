// What the client costs a page.

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const LIMIT_BYTES = 6 * 1024;

test("the client is at most 6 KB, minified and gzipped, and needs nothing else", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("../../shared/client/src/index.ts", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    metafile: true,
    write: false,
  });
  const size = gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
  console.log(`client: ${outputFiles[0]!.contents.length} bytes, ${size} gzipped`);
  expect(size).toBeLessThanOrEqual(LIMIT_BYTES);
  expect(Object.keys(metafile.inputs).filter((input) => !input.includes("client/src/"))).toEqual([]);
});
