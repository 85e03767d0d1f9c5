// The store of a server: the same questions for a Durable Object's SQLite and for a Spin application's. Written to only while the server is down.

import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { PLATFORM } from "./platform.ts";
import type { Server } from "./server.ts";

/** The files, without the platform's own. One for each channel on Workers, one for all on Spin. */
export function storeFiles(server: Server): string[] {
  const pattern = { workers: "do/*/*.sqlite", spin: "sqlite_db.db" }[PLATFORM];
  return globSync(pattern, { cwd: server.state })
    .filter((file) => !file.endsWith("metadata.sqlite"))
    .map((file) => join(server.state, file));
}

/** Opens one file of a store and closes it again. */
export function inStore<T>(file: string, use: (database: DatabaseSync) => T, mode: "read" | "write" = "read"): T {
  const database = new DatabaseSync(file, { readOnly: mode === "read", timeout: 5_000 });
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** Names of the tables, without the platform's own. */
export function tables(database: DatabaseSync): string[] {
  const found = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*'").all();
  return found.map(({ name }) => String(name));
}

/** Every row of every table. */
export function contents(database: DatabaseSync): Record<string, Record<string, SQLOutputValue>[]> {
  return Object.fromEntries(tables(database).map((table) => [table, database.prepare(`SELECT * FROM "${table}"`).all()]));
}

/** The numbers of the events with which the snapshots end in which a text occurs. */
export function snapshotsWith(server: Server, text: string): number[] {
  if (server.redis) return server.redis.rows(new RegExp(`:s \\d+ .*${text}`)).map((row) => Number(/:s (\d+) /.exec(row)![1]));
  return storeFiles(server)
    .flatMap((file) => inStore(file, contents)["snapshots"] ?? [])
    .filter(({ data }) => Buffer.from(data as Uint8Array).includes(text))
    .map(({ seq }) => Number(seq));
}

/** The number of alarms that are set. Spin has no alarms. */
export function alarms(server: Server): number {
  const files = globSync("do/*/metadata.sqlite", { cwd: server.state });
  return files.reduce((sum, file) => sum + inStore(join(server.state, file), (database) => Number(database.prepare("SELECT count(*) AS n FROM _cf_ALARM").get()!.n)), 0);
}
