// @ts-check
// The client that the command reads and publishes with.

/**
 * The client from its source, which Node takes from 22.18 on; else as built.
 *
 * @returns {Promise<typeof import("../src/index.ts")>}
 */
export async function client() {
  try {
    return await import("../src/index.ts");
  } catch (cause) {
    // Node strips no types when it is older, nor in `node_modules`.
    return import(/** @type {string} */ ("../build/index.js")).catch(() => {
      throw new Error(`Node ${process.versions.node} does not run the client's source: take 22.18 or newer, or \`npm run build\` in shared/client`, { cause });
    });
  }
}
