// Serves npm @durable-streams/server on a port, from a folder or from memory.
import { DurableStreamTestServer } from "@durable-streams/server";

const [port, dataDir] = process.argv.slice(2);
await new DurableStreamTestServer({ port: Number(port), host: "127.0.0.1", ...(dataDir ? { dataDir } : {}) }).start();
