// A channel in a React component.

import { useMemo, useSyncExternalStore } from "react";
import type { TidewireError } from "./error.ts";
import type { ChannelEvent, Gap, State, Transport } from "./event.ts";
import { subscribe, type SubscribeOptions } from "./subscription.ts";

/** The state of a channel for a component. */
export interface ChannelView<T = unknown> {
  /** The newest events, in order: at most `keep` of them. */
  readonly events: readonly ChannelEvent<T>[];
  readonly state: State;
  /** The transport in use, or being tried; on a server there is no transport. */
  readonly transport?: Transport;
  /** The last gap. */
  readonly gap?: Gap;
  /** The last error, until a retry succeeds. */
  readonly error?: TidewireError | undefined;
}

/** Options of {@link useChannel}: those of a subscription, and how many events to keep (1,000). */
export interface ChannelOptions extends Omit<SubscribeOptions, "signal" | "onEvent" | "onGap" | "onState" | "onError"> {
  keep?: number;
}

/**
 * The events of a channel and the state of its subscription, as long as the component is shown.
 *
 * The options count when an address is first shown, so they may be written inline; change `key` to apply others.
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
      // One rendering for a page of history.
      onEvent: (event) => void (arrived.push(event) === 1 && queueMicrotask(() => show({ events: [...view.events, ...arrived.splice(0)].slice(-keep) }))),
      onGap: (gap) => show({ gap }),
      onError: (error) => show({ error }),
      onState: (state, transport) => state !== "closed" && show({ state, transport, ...(state === "live" && { error: undefined }) }),
    });
    return () => {
      // StrictMode and Activity mount again: resume from here.
      options.offset = subscription.offset;
      subscription.close();
    };
  };
  return [connect, () => view] as const;
}
