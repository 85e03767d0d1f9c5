// The servers that are compared, and the addresses of their channels.

import { nativeServer, nodeServer } from "./durable-streams.ts";
import type { Kind } from "./readers.ts";
import type { Recipe } from "./served.ts";
import { SPIN } from "./spin.ts";
import { OURS, workerd } from "./workerd.ts";

/** The name of our Worker in all tables. */
export const TIDEWIRE = "Tidewire";
/** That of its component on Spin. */
export const TIDEWIRE_SPIN = "Tidewire, Spin";
export const PLAIN = "plain JavaScript";
export const YPARTY = "y-partyserver";
const [NODE_MEMORY, NODE_FILES] = ["@durable-streams/server, in memory", "@durable-streams/server, in files"];
const NATIVE = "durable-streams (crate)";

const plainObjects = { PLAIN: "Plain", KEPT: "Kept", POLL: "Poll", BRIDGED: "Bridged" };

export const ours = workerd("ours", OURS);
export const oursWith = (name: string, vars: Record<string, string>) => workerd(name, { ...OURS, vars: { ...OURS.vars, ...vars } });
export const plain = workerd("plain", { peer: "plain.mjs", objects: plainObjects });
export const plainWith = (name: string, vars: Record<string, string>) => workerd(name, { peer: "plain.mjs", objects: plainObjects, vars });

/** A kind of reader at a server. */
export interface Peer {
  who: string;
  recipe: Recipe;
  kind: Kind;
  /** Where a reader reads a channel, and where a publisher publishes. */
  read(channel: string): string;
  publish(channel: string): string;
}

function peer(who: string, recipe: Recipe, kind: Kind, prefix: string, query = ""): Peer {
  return { who, recipe, kind, read: (channel) => `${prefix}${channel}${query}`, publish: (channel) => `${prefix}${channel}` };
}

const LIVE = "?offset=now";

export const SOCKETS = {
  ours: peer(TIDEWIRE, ours, "tidewire.v1", "/feed/", LIVE),
  unwindowed: peer(`${TIDEWIRE}, no subprotocol`, ours, "socket", "/feed/", LIVE),
  plain: peer(PLAIN, plain, "socket", "/plain/"),
  kept: peer(`${PLAIN}, own Set of sockets`, plain, "socket", "/kept/"),
  party: peer("partyserver", workerd("partyserver", { peer: "partyserver.mjs", objects: { Room: "Room" } }), "socket", "/parties/room/"),
};

export const STREAMS = {
  ours: peer(TIDEWIRE, ours, "sse", "/feed/", LIVE),
  plain: peer(PLAIN, plain, "sse", "/sse/"),
  hono: peer("hono, in the object", workerd("hono", { peer: "hono.mjs", objects: { STREAMS: "Streams" } }), "sse", "/"),
  spin: peer(TIDEWIRE_SPIN, SPIN, "sse", "/feed/", LIVE),
};

export const POLLS = {
  ours: peer(TIDEWIRE, ours, "long-poll", "/feed/"),
  plain: peer(`${PLAIN}, awake`, plain, "long-poll", "/poll/"),
  node: peer(NODE_MEMORY, nodeServer("memory"), "long-poll", "/"),
  native: peer(NATIVE, nativeServer, "long-poll", "/"),
};

export const DOCUMENTS = {
  ours: peer(TIDEWIRE, workerd("ours-documents", { ...OURS, objects: { COLLAB_CHANNEL: "CollabChannel" } }), "socket", "/collab/"),
  party: peer(YPARTY, workerd("y-partyserver", { peer: "y-partyserver.mjs", objects: { Document: "Document" } }), "socket", "/parties/document/"),
  spin: peer(TIDEWIRE_SPIN, SPIN, "sse-bytes", "/collab/", `${LIVE}&live=sse`),
};

/** Those of appends and catch-up, which have no readers that wait. */
export const LOGS = {
  ours: { who: TIDEWIRE, recipe: ours, path: (channel: string) => `/feed/${channel}`, mustCreate: false },
  plain: { who: PLAIN, recipe: plain, path: (channel: string) => `/plain/${channel}`, mustCreate: false },
  memory: { who: NODE_MEMORY, recipe: nodeServer("memory"), path: (channel: string) => `/${channel}`, mustCreate: true },
  files: { who: NODE_FILES, recipe: nodeServer("files"), path: (channel: string) => `/${channel}`, mustCreate: true },
  native: { who: NATIVE, recipe: nativeServer, path: (channel: string) => `/${channel}`, mustCreate: true },
  spin: { who: TIDEWIRE_SPIN, recipe: SPIN, path: (channel: string) => `/feed/${channel}`, mustCreate: false },
};

export type Log = (typeof LOGS)[keyof typeof LOGS];
