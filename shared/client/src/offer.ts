// What the server of this page says that it offers: a browser cannot tell a server without WebSocket from a network that lets none through.

import type { Transport } from "./event.ts";

/** Whether to try `transport` there: a page names the transports of its own server where those are not all of them. */
export function isOffered(transport: Transport, { origin }: URL): boolean {
  const offer = globalThis.document?.querySelector<HTMLMetaElement>("meta[name=tidewire-transports]")?.content;
  return !offer || origin !== location.origin || offer.split(" ").includes(transport);
}
