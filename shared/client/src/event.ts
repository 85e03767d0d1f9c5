// The objects that a subscriber receives.

/** One event of a channel. */
export interface ChannelEvent<T = unknown> {
  /**
   * The offset to resume from after this event: keep it and pass it to a later `subscribe`, and no event is lost.
   *
   * WebSocket and SSE give it for each event. Polls give it for a page: its last event has the page's end, the others its start,
   * so that resuming from one of those repeats a part of the page.
   */
  readonly offset: string;
  /**
   * The JSON value on a JSON channel, a string on a text channel, else a `Uint8Array`.
   *
   * Text and bytes have no borders on the wire of a poll: several events may arrive as one.
   */
  readonly data: T;
}

/** Notice that past events are gone: retention dropped them, or the channel was created again. */
export interface Gap {
  /** The requested offset. */
  readonly requested: string;
  /** The offset from which reading continues. */
  readonly earliest: string;
}

/** The members, if the function has presence. */
export interface Presence {
  /** The members that joined or changed; `state: null` means that the member left. */
  readonly members: readonly { readonly id: string; readonly state: unknown }[];
  /** Whether these are all members: any member that is not listed has left. */
  readonly isSnapshot: boolean;
}

/** A way to read a channel. */
export type Transport = "websocket" | "sse" | "long-poll" | "poll";

/**
 * Where a subscription is.
 *
 * `connecting`, `live` and `waiting` (for the next attempt) alternate. It ends as `finished` (the channel is), `closed` (by `close`
 * or the signal) or `failed` (by an error that retrying cannot mend).
 */
export type State = "connecting" | "live" | "waiting" | "finished" | "closed" | "failed";
