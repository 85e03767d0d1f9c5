// npm y-partyserver, hibernating, which stores each update before it sends it, and a snapshot after 500, as Tidewire does.
import { routePartykitRequest } from "partyserver";
import { YServer } from "y-partyserver";
import { applyUpdate, encodeStateAsUpdate } from "yjs";

const SNAPSHOT_UPDATES = 500;

export class Document extends YServer {
  static options = { hibernate: true };

  async onLoad() {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS updates (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, data BLOB NOT NULL)");
    sql.exec("CREATE TABLE IF NOT EXISTS snapshots (seq INTEGER PRIMARY KEY, data BLOB NOT NULL)");
    const [snapshot] = sql.exec("SELECT seq, data FROM snapshots ORDER BY seq DESC LIMIT 1").toArray();
    let covered = snapshot?.seq ?? 0;
    let seq = covered;
    if (snapshot) applyUpdate(this.document, new Uint8Array(snapshot.data));
    for (const row of sql.exec("SELECT seq, data FROM updates WHERE seq > ? ORDER BY seq", covered)) {
      applyUpdate(this.document, new Uint8Array(row.data));
      seq = row.seq;
    }
    // The first listener of the document: y-partyserver adds the one that sends after this.
    this.document.on("update", (update) => {
      seq += 1;
      sql.exec("INSERT INTO updates (seq, at_ms, data) VALUES (?, ?, ?)", seq, Date.now(), update);
      if (seq - covered < SNAPSHOT_UPDATES) return;
      sql.exec("INSERT INTO snapshots (seq, data) VALUES (?, ?)", seq, encodeStateAsUpdate(this.document));
      covered = seq;
    });
  }
}

export default {
  fetch: async (request, env) => (await routePartykitRequest(request, env)) ?? new Response(null, { status: 404 }),
};
