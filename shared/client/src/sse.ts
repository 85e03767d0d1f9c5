// Reading a stream of server-sent events, by `fetch`: an `EventSource` cannot send headers and hides the server's answer.

import { parseData, type Content } from "./content.ts";
import { forGood, TidewireError } from "./error.ts";
import type { Presence } from "./event.ts";
import { takeTail } from "./poll.ts";
import type { Outcome, Reader } from "./reader.ts";
import { SseParser, type SseEvent } from "./sse-parser.ts";
import { ANSWER_MS, Watchdog } from "./watchdog.ts";

/** Silence after which a stream counts as dead: three heartbeats. */
const SILENCE_MS = 45_000;

/** The `data` of a `control` event of Durable Streams. */
interface Control {
  streamNextOffset: string;
  streamGap?: boolean;
  streamClosed?: boolean;
}

/** Reads until the stream ends. */
export async function readSse(reader: Reader): Promise<Outcome> {
  // A stream names neither the channel's content type nor, before its first event, its position.
  const isKnown = reader.content !== undefined && reader.position !== "now";
  const content = isKnown ? reader.content! : await takeTail(reader);
  const watchdog = new Watchdog(reader.signal);
  watchdog.within(ANSWER_MS);
  try {
    const answer = await open(reader, watchdog.signal);
    if (answer.status === 204) return "finished";
    const body = answer.body!.getReader();
    const parser = new SseParser();
    const take = taker(reader, content);
    for (;;) {
      const { done, value } = await body.read();
      if (done) return "again";
      // Not before the first byte: a proxy that buffers a stream passes on only its head.
      reader.sink.opened();
      if (parser.push(value).some(take)) return "finished";
      watchdog.pause();
      await reader.sink.room();
      watchdog.within(SILENCE_MS);
    }
  } finally {
    watchdog.stop();
  }
}

/** Sends the request of an `EventSource`, for which each event has its offset; for other servers it uses `live=sse`. */
async function open(reader: Reader, signal: AbortSignal): Promise<Response> {
  const answer = await reader.get(reader.needsLive ? { live: "sse" } : {}, signal, { accept: "text/event-stream" });
  if (answer.status === 204 || answer.headers.get("content-type")?.startsWith("text/event-stream")) return answer;
  answer.body?.cancel().catch(() => {});
  if (reader.needsLive) throw new TidewireError("not-supported", 501, "the server answered without an event stream");
  reader.needsLive = true;
  return open(reader, signal);
}

/** Reads the events of one stream; returns whether the channel is finished. */
function taker(reader: Reader, content: Content): (event: SseEvent) => boolean {
  // Events of Durable Streams count once their `control` has given the position after them.
  let pending: unknown[] = [];
  return ({ event, data, lastEventId }) => {
    if (event === "message") {
      reader.batch([parseData(data, content)], lastEventId);
    } else if (event === "gap") {
      const { earliest, requested } = JSON.parse(data) as { earliest: string; requested: string };
      reader.gap(earliest, requested);
    } else if (event === "presence") {
      const { members, snapshot } = JSON.parse(data) as Pick<Presence, "members"> & { snapshot?: boolean };
      reader.sink.presence({ members, isSnapshot: snapshot === true });
    } else if (event === "close") {
      const { code, reason } = JSON.parse(data) as { code: number; reason: string };
      if (code >= 3500) throw forGood(code, reason);
      reader.isStale = code === 3005;
    } else if (event === "data") {
      const parsed = parseData(data, content);
      pending.push(...(content === "json" ? (parsed as unknown[]) : [parsed]));
    } else if (event === "control") {
      const { streamNextOffset, streamGap, streamClosed } = JSON.parse(data) as Control;
      if (streamGap) reader.gap(streamNextOffset);
      else reader.batch(pending, streamNextOffset);
      pending = [];
      return streamClosed === true;
    }
    return false;
  };
}
