// Taking a number of events from a subscription.

import type { ChannelEvent, Subscription } from "../../shared/client/src/index.ts";

/** The next `count` events; then the subscription is closed. */
export async function take<T>(subscription: Subscription<T>, count: number): Promise<ChannelEvent<T>[]> {
  const events: ChannelEvent<T>[] = [];
  for await (const event of subscription) if (events.push(event) === count) break;
  return events;
}

/** All events to the end. */
export async function takeAll<T>(subscription: Subscription<T>): Promise<ChannelEvent<T>[]> {
  return take(subscription, Infinity);
}

export function dataOf<T>(events: readonly ChannelEvent<T>[]): T[] {
  return events.map(({ data }) => data);
}
