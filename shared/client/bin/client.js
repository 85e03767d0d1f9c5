// @ts-check
// The client that the command uses to read and publish.

/**
 * Returns the client from its source, which Node runs from 22.18 on; otherwise the built client.
 *
 * @returns {Promise<typeof import("../src/index.ts")>}
 */
export async function client() {
  try {
    return await import("../src/index.ts");
  } catch (cause) {
    // Older versions of Node do not strip types, and no version does in `node_modules`.
    return import(/** @type {string} */ ("../build/index.js")).catch(() => {
      throw new Error(`Node ${process.versions.node} does not run the client's source: use 22.18 or newer, or run \`npm run build\` in shared/client`, { cause });
    });
  }
}
