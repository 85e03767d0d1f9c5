// The transports that the server of this page offers: a browser cannot distinguish a server without WebSocket from a network that blocks WebSockets.

import type { Transport } from "./event.ts";

/** Whether to try `transport` there: a page lists the transports of its own server if some are missing. */
export function isOffered(transport: Transport, { origin }: URL): boolean {
  const offer = globalThis.document?.querySelector<HTMLMetaElement>("meta[name=tidewire-transports]")?.content;
  return !offer || origin !== location.origin || offer.split(" ").includes(transport);
}
