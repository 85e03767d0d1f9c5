// A plain JavaScript Durable Object for each job, written as well as it can be: it stores an event before it sends it, and every event carries its position.
import { DurableObject } from "cloudflare:workers";

const JSON_TYPE = { "content-type": "application/json" };
const PAGE_EVENTS = 1_000;
const LONG_POLL_MS = 25_000;
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = new TextEncoder().encode(":\n\n");

class Log extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, data TEXT NOT NULL)");
    this.seq = this.sql.exec("SELECT max(seq) AS seq FROM events").one().seq ?? 0;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** Stores an event, or each event of a batch. */
  store(text) {
    const data = JSON.parse(text);
    if (Array.isArray(data)) data.forEach((event) => this.insert(JSON.stringify(event)));
    else this.insert(text);
    return this.seq;
  }

  insert(text) {
    this.seq += 1;
    this.sql.exec("INSERT INTO events (seq, at_ms, data) VALUES (?, ?, ?)", this.seq, Date.now(), text);
  }

  answer() {
    return new Response(null, { status: 204, headers: { "stream-next-offset": String(this.seq) } });
  }

  page(after) {
    const rows = this.sql.exec("SELECT seq, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?", after, PAGE_EVENTS).raw().toArray();
    const last = rows.length > 0 ? rows.at(-1)[0] : after;
    const headers = { ...JSON_TYPE, "stream-next-offset": String(last), "cache-control": "private, no-cache" };
    if (last >= this.seq) headers["stream-up-to-date"] = "true";
    return new Response(`[${rows.map((row) => row[1]).join(",")}]`, { headers });
  }

  accept() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage() {}

  webSocketClose(socket) {
    socket.close();
  }
}

/** Sends to all sockets, as the platform's documentation shows it. */
export class Plain extends Log {
  sockets() {
    return this.ctx.getWebSockets();
  }

  async fetch(request) {
    if (request.headers.get("upgrade") === "websocket") return this.accept();
    if (request.method !== "POST") return this.page(Math.max(0, Number(new URL(request.url).searchParams.get("offset"))));
    const text = await request.text();
    const frame = `{"id":${this.store(text)},"data":${text}}`;
    for (const socket of this.sockets()) {
      try {
        socket.send(frame);
      } catch {
        // It closes.
      }
    }
    return this.answer();
  }
}

/** The sockets in a Set of its own, which is rebuilt when it wakes. */
export class Kept extends Plain {
  constructor(ctx, env) {
    super(ctx, env);
    this.kept = new Set(ctx.getWebSockets());
  }

  sockets() {
    return this.kept;
  }

  accept() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    this.kept.add(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketClose(socket) {
    this.kept.delete(socket);
    socket.close();
  }
}

/** Long polls that wait in the object, which stays awake for as long as a client waits. */
export class Poll extends Log {
  waiting = new Set();

  async fetch(request) {
    if (request.method === "POST") {
      const text = await request.text();
      const news = { seq: this.store(text), text: `[${text}]` };
      for (const waiter of this.waiting) {
        clearTimeout(waiter.timer);
        waiter.resolve(news);
      }
      this.waiting.clear();
      return this.answer();
    }
    const query = new URL(request.url).searchParams;
    const offset = query.get("offset");
    const after = offset === "now" ? this.seq : Math.max(0, Number(offset));
    if (query.get("live") !== "long-poll" || after < this.seq) return this.page(after);
    const news = await new Promise((resolve) => {
      const waiter = { resolve };
      waiter.timer = setTimeout(() => {
        this.waiting.delete(waiter);
        resolve();
      }, LONG_POLL_MS);
      this.waiting.add(waiter);
    });
    const headers = { ...JSON_TYPE, "stream-next-offset": String(news ? news.seq : after), "stream-up-to-date": "true", "cache-control": "no-store" };
    return news ? new Response(news.text, { headers }) : new Response(null, { status: 204, headers });
  }
}

/** For SSE streams that the Worker holds: the object encodes once, as bytes, so that the Worker has nothing to encode, and sleeps. */
export class Bridged extends Log {
  async fetch(request) {
    if (request.headers.get("upgrade") === "websocket") return this.accept();
    const text = await request.text();
    const bytes = new TextEncoder().encode(`id: ${this.store(text)}\ndata: ${text}\n\n`);
    for (const socket of this.ctx.getWebSockets()) {
      try {
        socket.send(bytes);
      } catch {
        // It closes.
      }
    }
    return this.answer();
  }
}

async function stream(request, stub) {
  const { webSocket: socket } = await stub.fetch(request.url, { headers: { upgrade: "websocket" } });
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  socket.binaryType = "arraybuffer";
  let beat;
  const end = () => {
    clearInterval(beat);
    try {
      socket.close(1000);
    } catch {
      // It is closed.
    }
    writer.close().catch(() => {});
  };
  const write = (bytes) => writer.write(bytes).catch(end);
  socket.addEventListener("message", ({ data }) => write(new Uint8Array(data)));
  socket.addEventListener("close", end);
  socket.accept();
  beat = setInterval(() => write(HEARTBEAT), HEARTBEAT_MS);
  request.signal.addEventListener("abort", end);
  return new Response(readable, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
}

/** Tokens that were verified, with the time at which they expire. */
const verified = new Map();
const MOST_VERIFIED = 1_000;
let key;

/** Whether an ES256 token of the provider is valid: the platform's own crypto, once for each token. */
async function admits(token, env) {
  const now = Date.now() / 1_000;
  if (verified.get(token) > now) return true;
  key ??= crypto.subtle.importKey("jwk", JSON.parse(env.JWK), { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  const [head, claims, signature] = token.split(".");
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const { iss, aud, exp } = JSON.parse(new TextDecoder().decode(bytes(claims)));
  if (iss !== env.ISSUER || aud !== env.AUDIENCE || !(exp > now)) return false;
  const signed = new TextEncoder().encode(`${head}.${claims}`);
  if (!(await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, await key, bytes(signature), signed))) return false;
  if (verified.size >= MOST_VERIFIED) verified.delete(verified.keys().next().value);
  verified.set(token, exp);
  return true;
}

export default {
  async fetch(request, env) {
    const [, kind, name] = new URL(request.url).pathname.split("/");
    const namespace = { plain: env.PLAIN, kept: env.KEPT, poll: env.POLL, sse: env.BRIDGED }[kind];
    if (!namespace) return new Response(null, { status: 404 });
    const credential = request.headers.get("authorization");
    if (credential && !(await admits(credential.slice("Bearer ".length), env))) return new Response(null, { status: 401 });
    const stub = namespace.getByName(name);
    return kind === "sse" && request.method !== "POST" ? stream(request, stub) : stub.fetch(request);
  },
};
