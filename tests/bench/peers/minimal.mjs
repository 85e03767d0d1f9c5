// The least that a Worker can be: one object, one insert, one answer.
import { DurableObject } from "cloudflare:workers";

export class Minimal extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, data TEXT NOT NULL)");
  }

  async fetch(request) {
    if (request.method === "POST") this.ctx.storage.sql.exec("INSERT INTO events (data) VALUES (?)", await request.text());
    return new Response(null, { status: 204 });
  }
}

export default { fetch: (request, env) => env.MINIMAL.getByName(new URL(request.url).pathname).fetch(request) };
