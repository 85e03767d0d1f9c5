// Reading over `tidewire.v1`.

import { fromBase64 } from "./content.ts";
import { asError, forGood, lost, TidewireError } from "./error.ts";
import type { Outcome, Reader } from "./reader.ts";
import { ask } from "./request.ts";
import { alarm } from "./wait.ts";
import { ANSWER_MS, within } from "./watchdog.ts";
import type { ClientFrame, ServerFrame } from "./wire.ts";

/** Silence after which the client sends a ping: below the 30 s and more after which proxies cut a connection. */
const PING_MS = 25_000;

/** Time for the answer. */
const PONG_MS = 10_000;

/** Reads until the connection ends. Like a request, it requests a new ticket once if its ticket was refused. */
export async function readWebSocket(reader: Reader): Promise<Outcome> {
  const { ticket, signal } = reader;
  if (!ticket) return connect(reader);
  const open = async (wasRefused: boolean) => connect(reader, await within(ANSWER_MS, signal, (signal) => ask(ticket, wasRefused, signal)));
  try {
    return await open(false);
  } catch (error) {
    if (!(error instanceof TidewireError && error.status === 401)) throw error;
    return open(true);
  }
}

function connect(reader: Reader, ticket?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    // A handler of the application may have ended it.
    if (reader.signal.aborted) return resolve("again");
    const url = reader.address(ticket ? { ticket } : {});
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, "tidewire.v1");
    let isBase64 = false;
    /** Characters after which the client acknowledges; a server that does not expect the frame would refuse it. */
    let ackBytes = Infinity;
    let unacknowledged = 0;
    let refusal: TidewireError | undefined;
    let cancel = () => {};

    const end = (how: Outcome | TidewireError) => {
      cancel();
      reader.send = undefined;
      reader.signal.removeEventListener("abort", leave);
      // A socket that is closing may still deliver frames: they belong to the next one.
      socket.onmessage = socket.onclose = socket.onerror = null;
      socket.close();
      if (how instanceof TidewireError) reject(how);
      else resolve(how);
    };
    const leave = () => end("again");
    const expect = (ms: number, otherwise: () => void) => {
      cancel();
      cancel = alarm(ms, otherwise);
    };
    const send = (frame: ClientFrame | "ping") => socket.send(frame === "ping" ? frame : JSON.stringify(frame));
    const ping = () => {
      send("ping");
      expect(PONG_MS, () => end(lost("no answer to a ping")));
    };

    const take = (frame: ServerFrame) => {
      if (frame.type !== "close") refusal = undefined;
      if (frame.type === "hello") {
        isBase64 = frame.encoding === "base64";
        ackBytes = frame.ackBytes ?? Infinity;
        // Any other position stays until its events arrive: `hello` may be past a gap that is still to come.
        reader.resolveNow(frame.offset);
        reader.send = send;
        reader.sink.opened();
      } else if (frame.type === "events") {
        for (const { offset, data } of frame.events) {
          reader.position = offset;
          reader.sink.event(offset, isBase64 ? fromBase64(data as string) : data);
        }
        if (unacknowledged >= ackBytes) {
          unacknowledged = 0;
          send({ type: "ack", offset: reader.position });
        }
        if (reader.sink.isFull()) end("again");
      } else if (frame.type === "presence") {
        reader.sink.presence({ members: frame.members, isSnapshot: frame.snapshot === true });
      } else if (frame.type === "close") {
        // The close itself may take seconds.
        closed(frame);
      } else if (frame.type === "gap") {
        reader.gap(frame.earliest, frame.requested);
      } else if (frame.type === "error") {
        refusal = new TidewireError(frame.code, frame.status, frame.detail);
      } else if (frame.type === "closed") {
        end("finished");
      }
    };

    reader.signal.addEventListener("abort", leave);
    expect(ANSWER_MS, () => end(lost("the WebSocket did not open")));
    socket.onmessage = ({ data }) => {
      expect(PING_MS, ping);
      unacknowledged += (data as string).length;
      try {
        if (data !== "pong") take(JSON.parse(data as string) as ServerFrame);
      } catch (error) {
        end(asError(error));
      }
    };
    const closed = ({ code, reason }: { code: number; reason: string }) => {
      if (code === 3005) reader.isStale = true;
      if (code === 1000) end("finished");
      else if (code === 1003 || code === 1009 || code >= 3500) end(refusal ?? forGood(code, reason));
      // Before `hello`, the error says why there is no connection. Later, it answers a frame, and the connection continues.
      else if (refusal && !reader.send) end(refusal);
      else if (code >= 3000) end("again");
      else end(lost(`the WebSocket closed with ${code}`));
    };
    socket.onclose = closed;
    // Node fires no `close` when the connection breaks within the handshake.
    socket.onerror = () => end(lost("the WebSocket failed"));
  });
}
