// npm hono's streamSSE, written from inside the object, with the insert.
import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

export class Streams extends DurableObject {
  streams = new Set();

  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, data TEXT NOT NULL)");
    this.seq = this.sql.exec("SELECT max(seq) AS seq FROM events").one().seq ?? 0;
    this.app = new Hono();
    this.app.get("*", (context) =>
      streamSSE(context, async (stream) => {
        this.streams.add(stream);
        await new Promise((left) => stream.onAbort(left));
        this.streams.delete(stream);
      }),
    );
    this.app.post("*", async (context) => {
      const text = await context.req.text();
      JSON.parse(text);
      this.seq += 1;
      this.sql.exec("INSERT INTO events (seq, at_ms, data) VALUES (?, ?, ?)", this.seq, Date.now(), text);
      const message = { id: String(this.seq), data: text };
      for (const stream of this.streams) stream.writeSSE(message);
      return context.body(null, 204);
    });
  }

  fetch(request) {
    return this.app.fetch(request, this.env, this.ctx);
  }
}

export default {
  fetch: (request, env) => env.STREAMS.getByName(new URL(request.url).pathname).fetch(request),
};
