// The rows that the store reads and writes. The test takes the statements from the source of each platform's store and runs them on workerd's SQLite, which counts
// rows as Cloudflare bills them; then the real server reads a channel as long.

import { readFileSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PLATFORM } from "../harness/platform.ts";
import { inStore, storeFiles } from "../harness/store.ts";
import { describeOwnServer, freshName, header, numbers, publish, useOwnServer } from "../harness/suite.ts";

const SHORT = 1_000;
const LONG = 1_000_000;
const PAGE = 100;
/** Events of a compaction, as by default. */
const EVERY = 500;

type Value = string | number | null;
type Statement = [sql: string, ...parameters: Value[]];

interface Cost {
  read: number;
  written: number;
}

/** String literals of a source file. */
function literals(file: string): string[] {
  const source = readFileSync(new URL(`../../shared/${file}`, import.meta.url), "utf8").replaceAll(/^\s*\/\/.*$/gm, "");
  return [...source.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text!.trim());
}

/** The one literal that begins like this, with parameters; what they do not reach is 0. */
function statement(from: string[], beginning: string, ...parameters: Value[]): Statement {
  const found = from.filter((text) => text.startsWith(beginning));
  expect(found, beginning).toHaveLength(1);
  // One that is numbered may stand more than once.
  const count = Math.max(0, ...[...found[0]!.matchAll(/\?(\d*)/g)].map(([, number], index) => Number(number || index + 1)));
  return [found[0]!, ...numbers(0, count - 1).map((index) => parameters[index] ?? 0)];
}

/** The statements of what a request does, by platform. */
interface Store {
  tables: Statement[];
  /** `count` events, of one byte each. */
  fill(count: number): Statement[];
  /** Finding the channel; on Workers only the first request after sleep does it. */
  load: Statement[];
  page(after: number): Statement[];
  append(seq: number): Statement[];
  /** An append of an idempotent producer, without the transaction around it. */
  produce(seq: number): Statement[];
  /** Retention drops the events before this one. */
  drop(before: number): Statement[];
  /** The cost of a long poll at each read of the store without news; all readers of an instance share these reads. */
  wait: Statement[];
  /** The next compaction after the one that covers the events up to `after`; one snapshot is kept. */
  compact(after: number): Statement[];
}

const FILL = (columns: string, values: string, count: number): Statement => [
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO events (${columns}) SELECT ${values} FROM n`,
  count,
];

function onWorkers(): Store {
  const source = literals("workers/src/store/sql.rs");
  const find = (beginning: string, ...parameters: Value[]) => statement(source, beginning, ...parameters);
  return {
    tables: [find("CREATE TABLE channel"), find("CREATE TABLE producers"), find("CREATE TABLE IF NOT EXISTS snapshots")],
    fill: (count) => [
      ["INSERT INTO channel (schema_version, epoch, content_type, closed, tail, total) VALUES (2, 1, 'text/plain', 0, 0, 0)"],
      FILL("seq, at_ms, total, data", "i, i, i, x'78'", count),
    ],
    load: [
      find("SELECT 1 FROM sqlite_master", "channel"),
      find("SELECT 1 FROM sqlite_master", "revocations"),
      find("SELECT 1 FROM sqlite_master", "producers"),
      find("SELECT schema_version FROM channel"),
      find("SELECT epoch, content_type"),
      find("SELECT seq, total FROM events ORDER BY seq DESC"),
      find("SELECT seq, at_ms, max(total"),
    ],
    page: (after) => [find("SELECT seq, data FROM events WHERE seq > ?", after, PAGE)],
    append: (seq) => [find("INSERT INTO events (seq", seq, 1, seq, "x")],
    produce: (seq) => [
      find("SELECT epoch, seq", "p"),
      find("INSERT INTO events (seq", seq, 1, seq, "x"),
      find("INSERT OR REPLACE INTO producers", "p", 0, seq),
    ],
    drop: (before) => [find("DELETE FROM events WHERE seq <", before)],
    wait: [],
    compact: (after) => [
      find("SELECT seq, data FROM events WHERE seq > ?", after, EVERY),
      find("SELECT data FROM snapshots", after),
      find("INSERT INTO snapshots", after + EVERY, 0, 1, 1, 1, "x"),
      find("DELETE FROM snapshots WHERE seq <", 1),
    ],
  };
}

function onSpin(): Store {
  const source = literals("spin/src/store/sqlite/sql.rs");
  const tables = source.filter((text) => /^(CREATE|INSERT OR IGNORE) /.test(text));
  // Assembled at compile time; before it come the version of the members, if the function has presence, and the newest snapshot, if the function has snapshots.
  const look = (after: number, limit: number, isCompacted = false): Statement => {
    const snapshot = isCompacted ? ", n.seq, n.total, n.bytes" : ", NULL, NULL, NULL";
    expect(source.filter((text) => text === snapshot)).toHaveLength(1);
    const join = isCompacted ? `${statement(source, "LEFT JOIN snapshots n")[0]}\n` : "";
    const [channel] = statement(source, ", s.last_epoch");
    const [events] = statement(source, "LEFT JOIN events e ON");
    return [`SELECT NULL${snapshot}${channel}\n${join}${events}`, "streams/a", after, limit];
  };
  const [row] = source.filter((text) => text.startsWith("(?"));
  return {
    tables: tables.map((sql): Statement => [sql]),
    fill: (count) => [
      ["INSERT INTO channels (id, name, epoch, content_type, closed, tail, total) VALUES (1, 'streams/a', 1, 'text/plain', 0, 0, 0)"],
      FILL("channel, seq, at_ms, total, data", "1, i, i, i, x'78'", count),
    ],
    load: [look(2 ** 53, 1)],
    page: (after) => [look(after, PAGE)],
    append: () => {
      const [template] = source.filter((text) => text.startsWith("WITH head"));
      // The channel, its revision, its Stream-Seq, and no tail that is expected; then the event, counted from the tail.
      return [[template!.replace("{places}", row!), 1, 0, null, null, 1, 1, 1, "x"]];
    },
    produce: (seq) => {
      // Decided once, under the lock, on a producer's tally and the one that all anonymous publishers share.
      const known = source.map((text) => text.replace("{places}", "?, ?"));
      const decide = [look(2 ** 53, 1), statement(known, "SELECT id, epoch, seq", 1, "p", "")];
      const inserted = source.findLast((text) => text.startsWith("INSERT INTO events (channel, seq"))!;
      const event = [1, seq, 1, seq, "x", null].slice(0, inserted.split("?").length - 1);
      return [...decide, statement(source, "INSERT OR REPLACE INTO producers", 1, "p", 0, seq), [inserted, ...event]];
    },
    drop: (before) => [statement(source, "DELETE FROM events WHERE channel = ? AND seq <", 1, before)],
    wait: [look(2 ** 40, PAGE)],
    compact: (after) => [
      look(after, EVERY, true),
      statement(source, "SELECT data FROM snapshots", 1, after),
      statement(source, "SELECT 1 FROM channels WHERE id = ?1 AND revision", 1, 0, after),
      statement(source, "INSERT INTO snapshots", 1, after + EVERY, 0, 1, 1, 1, "x"),
      statement(source, "DELETE FROM snapshots WHERE channel = ?1 AND", 1, 1),
    ],
  };
}

const store = { workers: onWorkers, spin: onSpin }[PLATFORM]();

const OBJECT = `
import { DurableObject } from "cloudflare:workers";
export class Store extends DurableObject {
  async fetch(request) {
    const cost = { read: 0, written: 0, rows: 0 };
    for (const [sql, ...parameters] of await request.json()) {
      const cursor = this.ctx.storage.sql.exec(sql, ...parameters);
      cost.rows += [...cursor.raw()].length;
      cost.read += cursor.rowsRead;
      cost.written += cursor.rowsWritten;
    }
    return Response.json(cost);
  }
}
export default { fetch: (request, env) => env.STORE.getByName(new URL(request.url).pathname).fetch(request) };`;

describe("the statements of the store", () => {
  let miniflare: Miniflare;
  beforeAll(async () => {
    miniflare = new Miniflare(
      convertV4MiniflareOptions({
        cf: false,
        modules: true,
        script: OBJECT,
        compatibilityDate: "2026-11-01",
        durableObjects: { STORE: { className: "Store", useSQLite: true } },
      }),
    );
    for (const length of [SHORT, LONG]) await run(length, [...store.tables, ...store.fill(length)]);
  });
  afterAll(() => miniflare.dispose());

  async function run(length: number, statements: Statement[]): Promise<Cost & { rows: number }> {
    const answer = await miniflare.dispatchFetch(`http://store/${length}`, { method: "POST", body: JSON.stringify(statements) });
    expect(answer.status, answer.status === 200 ? "" : await answer.text()).toBe(200);
    return (await answer.json()) as Cost & { rows: number };
  }

  test(`a page of a channel of ${LONG} events reads as many rows from any offset as in one of ${SHORT}`, async () => {
    const expected = await run(SHORT, store.page(0));
    expect(expected.rows).toBe(PAGE);
    for (const after of [0, 1, 499, SHORT - PAGE]) expect(await run(SHORT, store.page(after)), `after ${after} of ${SHORT}`).toEqual(expected);
    for (const after of [0, 1, 499, 123_456, LONG / 2, LONG - PAGE]) expect(await run(LONG, store.page(after)), `after ${after} of ${LONG}`).toEqual(expected);
    // A few rows more than it returns: the channel's own, and on Spin its newest and oldest event; nothing is sorted.
    expect(expected.read).toBeLessThanOrEqual(PAGE + 10);
    expect(expected.written).toBe(0);
  });

  test("finding a channel and appending to it cost the same however long it is", async () => {
    const load = await run(SHORT, store.load);
    expect(await run(LONG, store.load)).toEqual(load);
    const append = await run(SHORT, store.append(SHORT + 1));
    expect(await run(LONG, store.append(LONG + 1))).toEqual(append);
    // A row of `events`; what is found by the primary key has no index to write besides.
    expect(append.written).toBe(1);
    const produce = await run(SHORT, store.produce(SHORT + 2));
    expect(await run(LONG, store.produce(LONG + 2))).toEqual(produce);
    const drop = await run(SHORT, store.drop(2));
    expect(await run(LONG, store.drop(2))).toEqual(drop);
    // What `bench/COST.md` counts: the event and its producer, later the drop of the event; to find a channel, a few rows.
    expect([produce.written, drop.written]).toEqual([2, 1]);
    expect(load.read).toBeLessThanOrEqual(20);
    const wait = await run(SHORT, store.wait);
    expect(await run(LONG, store.wait)).toEqual(wait);
    const page = await run(LONG, store.page(LONG / 2));
    // The first has no snapshot to replace.
    for (const length of [SHORT, LONG]) await run(length, store.compact(length - 2 * EVERY));
    const compact = await run(SHORT, store.compact(SHORT - EVERY));
    expect(await run(LONG, store.compact(LONG - EVERY))).toEqual(compact);
    // Each event since the last one, once; the new row and the one that it replaces.
    expect(compact.read).toBeLessThanOrEqual(EVERY + 20);
    expect(compact.written).toBe(2);
    const inWords = ({ read, written }: Cost) => `${read} rows read, ${written} written`;
    console.log([`rows: finding the channel: ${inWords(load)}`, `append: ${inWords(append)}`, `append of a producer: ${inWords(produce)}`, `page of ${PAGE}: ${inWords(page)}`, `long poll, each look: ${inWords(wait)}`, `compaction of ${EVERY} events: ${inWords(compact)}`].join("\n"));
  });
});

describeOwnServer("a channel of a million events", () => {
  const server = useOwnServer("rows", {
    RETENTION_MAX_EVENTS: String(2 * LONG),
    RETENTION_MAX_BYTES: "1000000000",
    RETENTION_MAX_AGE_S: "9000000000",
    PAGE_MAX_EVENTS: String(PAGE),
  });

  test("is read from any offset, and appended to", { timeout: 120_000, tags: ["sqlite"] }, async () => {
    const channel = `${server.url}/feed/${freshName()}`;
    const first = await publish(channel, 1);
    await server.kill9();
    const [file] = storeFiles(server);
    const columns = { workers: ["", ""], spin: ["channel, ", "(SELECT channel FROM events LIMIT 1), "] }[PLATFORM];
    const fill = (database: DatabaseSync) =>
      database
        .prepare(
          `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${LONG})
           INSERT INTO events (${columns[0]}seq, at_ms, total, data) SELECT ${columns[1]}i, i, i * 7, CAST(CAST(i AS TEXT) AS BLOB) FROM n`,
        )
        .run();
    inStore(file!, fill, "write");
    await server.restart();

    const epoch = first.split("_")[0]!;
    const offset = (seq: number) => `${epoch}_${seq.toString(16).padStart(14, "0")}`;
    const times: string[] = [];
    for (const after of [1, 777, 123_456, LONG / 2, LONG - PAGE]) {
      const start = performance.now();
      const answer = await fetch(`${channel}?offset=${offset(after)}`);
      expect(await answer.json(), `after ${after}`).toEqual(numbers(after + 1, after + PAGE));
      times.push((performance.now() - start).toFixed(0));
      expect(header(answer, "stream-next-offset")).toBe(offset(after + PAGE));
    }
    expect(await publish(channel, LONG + 1)).toBe(offset(LONG + 1));
    expect(await (await fetch(`${channel}?offset=${offset(LONG)}&live=long-poll`)).json()).toEqual([LONG + 1]);
    console.log(`rows: pages of ${PAGE} from ${times.length} offsets of ${LONG} events took ${times.join(", ")} ms, the first with the server's start`);
  });
});
