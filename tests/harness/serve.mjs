// Runs the built Worker in Miniflare (real workerd) and stays in the foreground.
//
//   node serve.mjs --build DIR [--port P] [--state DIR] [--var K=V ...] [--until-stdin-ends]
//
// Standard output: `control URL`, `ready URL`, then everything the Worker logs, one line per call.
// The control port is loopback only: POST /evict?class=FeedChannel&name=demo-machine[&sockets=close]; POST /object?key=NAME answers with the object in the bucket.
// SIGTERM and SIGINT end it together with workerd; with --until-stdin-ends so does the end of its parent process.

import { createServer } from "node:http";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

// `import` reads all 6 MB of it for names that it exports, which takes as long as the rest of the start.
const { Miniflare, convertV4MiniflareOptions } = createRequire(import.meta.url)("miniflare");

const SCRIPT = "tidewire";
// One per template that exists; the names of bindings and classes never change once released.
const DURABLE_OBJECTS = { CHAT_CHANNEL: "ChatChannel", COLLAB_CHANNEL: "CollabChannel", DEVICES_CHANNEL: "DevicesChannel", FEED_CHANNEL: "FeedChannel", NAIVE_ROOM: "NaiveRoom", NOTIFICATIONS_CHANNEL: "NotificationsChannel", PROGRESS_CHANNEL: "ProgressChannel", STATUS_CHANNEL: "StatusChannel", STREAMS_CHANNEL: "StreamsChannel" };
/** For uploads of `progress`. */
const BUCKET = "PROGRESS_UPLOADS";

const { values: options } = parseArgs({
  options: {
    build: { type: "string" },
    port: { type: "string", default: "0" },
    state: { type: "string" },
    "requests-in-10s": { type: "string" },
    var: { type: "string", multiple: true, default: [] },
    "until-stdin-ends": { type: "boolean", default: false },
  },
});
if (!options.build || !existsSync(join(options.build, "index.js"))) {
  console.error("serve: --build must name the folder with the built index.js");
  process.exit(2);
}

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: Number(options.port),
    cf: false,
    handleStructuredLogs: ({ level, message }) => console.log(level === "error" ? `error: ${message}` : message),
    workers: [
      {
        name: SCRIPT,
        modules: [
          {
            type: "ESModule",
            path: resolve(options.build, "index.js"),
            contents: await readFile(join(options.build, "index.js"), "utf8"),
          },
          {
            type: "CompiledWasm",
            path: resolve(options.build, "index_bg.wasm"),
            contents: await readFile(join(options.build, "index_bg.wasm")),
          },
        ],
        modulesRoot: resolve(options.build),
        compatibilityDate: "2026-11-01",
        r2Buckets: [BUCKET],
        ...(options["requests-in-10s"]
          ? { ratelimits: { REQUEST_RATE: { namespace_id: "1", simple: { limit: Number(options["requests-in-10s"]), period: 10 } } } }
          : {}),
        compatibilityFlags: ["enable_request_signal"],
        bindings: Object.fromEntries(options.var.map((pair) => splitOnce(pair, "="))),
        durableObjects: Object.fromEntries(
          Object.entries(DURABLE_OBJECTS).map(([binding, className]) => [binding, { className, useSQLite: true }]),
        ),
      },
    ],
    ...(options.state ? { resourcePersistencePath: resolve(options.state) } : {}),
  }),
);

// Miniflare gives no exit code of its own when workerd refuses the Worker.
const url = await miniflare.ready.catch((error) => {
  console.error(`serve: ${error.stack ?? error}`);
  process.exit(1);
});

const control = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://control");
  if (request.method === "POST" && pathname === "/object") {
    const object = await (await miniflare.getR2Bucket(BUCKET, SCRIPT)).get(searchParams.get("key"));
    response.writeHead(object ? 200 : 404).end(object && Buffer.from(await object.arrayBuffer()));
    return;
  }
  if (request.method !== "POST" || pathname !== "/evict") {
    response.writeHead(404).end();
    return;
  }
  try {
    await miniflare.unsafeEvictDurableObject(SCRIPT, searchParams.get("class"), {
      name: searchParams.get("name"),
      webSockets: searchParams.get("sockets") === "close" ? "close" : "hibernate",
    });
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
await new Promise((listening) => control.listen(0, "127.0.0.1", listening));

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  control.close();
  await miniflare.dispose();
  process.exit(0);
}
for (const signal of ["SIGTERM", "SIGINT"]) {
  // Miniflare's own hook exits at once with 128 + the signal; ours waits for workerd and exits with 0.
  process.removeAllListeners(signal);
  process.on(signal, stop);
}
if (options["until-stdin-ends"]) process.stdin.on("end", stop).resume();

console.log(`control http://127.0.0.1:${control.address().port}`);
console.log(`ready ${url.origin}`);

function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  if (at < 0) throw new Error(`serve: --var needs NAME=VALUE, not ${text}`);
  return [text.slice(0, at), text.slice(at + separator.length)];
}
