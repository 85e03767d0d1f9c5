// npm partyserver, hibernating, with the insert.
import { routePartykitRequest, Server } from "partyserver";

export class Room extends Server {
  static options = { hibernate: true };

  onStart() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, data TEXT NOT NULL)");
    this.seq = this.ctx.storage.sql.exec("SELECT max(seq) AS seq FROM events").one().seq ?? 0;
  }

  async onRequest(request) {
    const text = await request.text();
    JSON.parse(text);
    this.seq += 1;
    this.ctx.storage.sql.exec("INSERT INTO events (seq, at_ms, data) VALUES (?, ?, ?)", this.seq, Date.now(), text);
    this.broadcast(`{"id":${this.seq},"data":${text}}`);
    return new Response(null, { status: 204 });
  }
}

export default {
  fetch: async (request, env) => (await routePartykitRequest(request, env)) ?? new Response(null, { status: 404 }),
};
