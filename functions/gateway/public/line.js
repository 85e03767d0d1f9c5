// @ts-check
// The line that the lanes read over: it counts what passes, and can be cut and stalled.
//
// The readers use `fetch` and `WebSocket` as always. What has `lane=` in its query goes through here; the publisher and the rest of the page do not.

/** @typedef {{ requests: number, bytes: number }} Meter */

const fetchAnyway = fetch;
/** @type {Map<string | null, Meter>} */
const meters = new Map();
let down = new AbortController();
let flow = Promise.resolve();
let goOn = () => {};

/** Counts what this lane asks for and gets. @returns {Meter} */
export function meter(lane) {
  meters.set(lane, { requests: 0, bytes: 0 });
  return meters.get(lane);
}

/** Ends every connection of every lane, and lets none begin until `mend`. */
export function cut() {
  release();
  down.abort(new TypeError("the line is cut"));
}

/** Connections get through again. */
export function mend() {
  down = new AbortController();
}

/** The readers stop to read, as on a machine that is too busy, until `release`. */
export function stall() {
  flow = new Promise((done) => (goOn = done));
}

/** The readers go on with what waited for them. */
export function release() {
  goOn();
}

globalThis.fetch = async (input, init = {}) => {
  const url = new URL(input instanceof Request ? input.url : input, location.href);
  const count = meters.get(url.searchParams.get("lane"));
  if (!count) return fetchAnyway(input, init);
  down.signal.throwIfAborted();
  count.requests += 1;
  count.bytes += headBytes(`GET ${url.pathname}${url.search} HTTP/1.1`, new Headers(init.headers));
  // By hand: Safari before 17.4 has no `AbortSignal.any`.
  const ended = new AbortController();
  for (const signal of [init.signal, down.signal]) {
    if (signal?.aborted) ended.abort(signal.reason);
    signal?.addEventListener("abort", () => ended.abort(signal.reason));
  }
  const answer = await fetchAnyway(input, { ...init, signal: ended.signal });
  count.bytes += headBytes("HTTP/1.1 200 OK", answer.headers);
  await flow;
  const body = answer.body?.pipeThrough(
    new TransformStream({
      async transform(chunk, out) {
        count.bytes += chunk.length;
        await flow;
        out.enqueue(chunk);
      },
    }),
  );
  return new Response(body ?? null, answer);
};

/** As HTTP/1.1 writes it. What the browser adds to a request, some hundred bytes, no page can see. */
function headBytes(firstLine, headers) {
  return [...headers].reduce((sum, [name, value]) => sum + name.length + value.length + 4, firstLine.length + 4);
}

/** What a reader uses of a WebSocket. */
class LaneSocket {
  /** @type {((event?: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {((event: { code: number }) => void) | null} */
  onclose = null;
  /** @type {((event?: any) => void) | null} */
  onerror = null;
  #socket;
  #count;

  constructor(open, count) {
    this.#count = count;
    if (down.signal.aborted) {
      setTimeout(() => this.onclose?.({ code: 1006 }));
      return;
    }
    count.requests += 1;
    const socket = (this.#socket = open());
    socket.onopen = (event) => this.onopen?.(event);
    socket.onerror = (event) => this.onerror?.(event);
    socket.onclose = (event) => this.onclose?.(event);
    socket.onmessage = async (event) => {
      count.bytes += frameBytes(event.data);
      await flow;
      this.onmessage?.(event);
    };
    down.signal.addEventListener("abort", () => {
      socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
      socket.close();
      this.onclose?.({ code: 1006 });
    });
  }

  send(text) {
    this.#count.bytes += frameBytes(text) + 4;
    this.#socket.send(text);
  }

  close() {
    this.#socket?.close();
  }
}

/** With its frame: text below 64 KiB, of characters that take a byte each. What a client sends is masked, by four bytes more. */
const frameBytes = (text) => text.length + (text.length < 126 ? 2 : 4);

globalThis.WebSocket = new Proxy(WebSocket, {
  construct(target, given) {
    const count = meters.get(new URL(given[0], location.href).searchParams.get("lane"));
    const open = () => Reflect.construct(target, given);
    return count ? new LaneSocket(open, count) : open();
  },
});
