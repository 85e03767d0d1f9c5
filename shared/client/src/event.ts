// What a subscriber is given.

/** One event of a channel. */
export interface ChannelEvent<T = unknown> {
  /**
   * Where to go on from once this event is dealt with: kept and given to a later `subscribe`, nothing is lost.
   *
   * WebSocket and SSE tell it for each event. Polls tell it for a page: its last event has the page's end, the others its start,
   * so that going on from one of them repeats a part of the page.
   */
  readonly offset: string;
  /**
   * The JSON value on a JSON channel, a string on a text channel, else a `Uint8Array`.
   *
   * Text and bytes have no borders on the wire of a poll: what came as several events may come as one.
   */
  readonly data: T;
}

/** Notice that a part of the past is gone: retention dropped it, or the channel was made anew. */
export interface Gap {
  /** The offset that was asked for. */
  readonly requested: string;
  /** The offset that reading goes on from. */
  readonly earliest: string;
}

/** Who is present, where the function says so. */
export interface Presence {
  /** Those that came or changed; `state: null` is one that left. */
  readonly members: readonly { readonly id: string; readonly state: unknown }[];
  /** Whether these are all: anyone who is not here is gone. */
  readonly isSnapshot: boolean;
}

/** A way to read a channel. */
export type Transport = "websocket" | "sse" | "long-poll" | "poll";

/**
 * Where a subscription is.
 *
 * `connecting`, `live` and `waiting` (for the next attempt) alternate. It ends as `finished` (the channel is), `closed` (by `close`
 * or the signal) or `failed` (by an error that trying again does not mend).
 */
export type State = "connecting" | "live" | "waiting" | "finished" | "closed" | "failed";
