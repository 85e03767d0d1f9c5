// A channel in a React component.

import { useMemo, useSyncExternalStore } from "react";
import type { TidewireError } from "./error.ts";
import type { ChannelEvent, Gap, State, Transport } from "./event.ts";
import { subscribe, type SubscribeOptions } from "./subscription.ts";

/** What a component sees of a channel. */
export interface ChannelView<T = unknown> {
  /** The newest events, in order: as many as `keep` says. */
  readonly events: readonly ChannelEvent<T>[];
  readonly state: State;
  /** The transport in use, or being tried; none on a server. */
  readonly transport?: Transport;
  /** The last part of the past that is gone. */
  readonly gap?: Gap;
  /** What went wrong, until it is mended. */
  readonly error?: TidewireError | undefined;
}

/** Choices of {@link useChannel}: those of a subscription, and how many events to keep (1,000). */
export interface ChannelOptions extends Omit<SubscribeOptions, "signal" | "onEvent" | "onGap" | "onState" | "onError"> {
  keep?: number;
}

/**
 * The events of a channel and how it stands with them, as long as the component is shown.
 *
 * The options count when an address is first shown, so they may be written in place; a `key` makes others count.
 */
export function useChannel<T = unknown>(url: string, options: ChannelOptions = {}): ChannelView<T> {
  const [connect, view] = useMemo(() => open<T>(url, options), [url]);
  return useSyncExternalStore(connect, view, view);
}

function open<T>(url: string, { keep = 1_000, ...options }: ChannelOptions) {
  let view: ChannelView<T> = { events: [], state: "connecting" };
  let arrived: ChannelEvent<T>[] = [];
  const connect = (onChange: () => void) => {
    const show = (change: Partial<ChannelView<T>>) => ((view = { ...view, ...change }), onChange());
    const subscription = subscribe<T>(url, {
      ...options,
      // A page of history is one rendering.
      onEvent: (event) => void (arrived.push(event) === 1 && queueMicrotask(() => show({ events: [...view.events, ...arrived.splice(0)].slice(-keep) }))),
      onGap: (gap) => show({ gap }),
      onError: (error) => show({ error }),
      onState: (state, transport) => state !== "closed" && show({ state, transport, ...(state === "live" && { error: undefined }) }),
    });
    return () => {
      // StrictMode and Activity come back: from here on.
      options.offset = subscription.offset;
      subscription.close();
    };
  };
  return [connect, () => view] as const;
}
