// The cost of a delivery: one event to all readers of a channel, the next when everyone has it.

import { setTimeout as delay } from "node:timers/promises";
import { event } from "./event.ts";
import { Meter, quiet } from "./processor.ts";
import { Publishers } from "./publishers.ts";
import { Readers, type Reading } from "./readers.ts";
import type { Served } from "./served.ts";
import { quantile } from "./spread.ts";

export interface Delivery extends Reading {
  /** The path of a publish, or another way to publish one event, which resolves when it is acknowledged. */
  publish: string | ((readers: Readers) => Promise<void> | void);
  /** Events that are published at once. */
  together?: number;
  /** How long it measures. */
  ms: number;
  /** The least number of publishes, or of bursts. */
  least?: number;
  /** The pause after everyone has an event; `quiet` is until the server rests, which counts. */
  pause?: number | "quiet";
}

/** Events before the measurement. */
const WARM_UP = 2;

/** CPU of the server for each delivery, and the time from publish to receive. */
export async function deliver(served: Served, { publish, together = 1, ms, least = 3, pause = 0, ...reading }: Delivery): Promise<{ cost: number; p50: number; p99: number }> {
  const publishers = await Publishers.open(served, typeof publish === "string" ? together : 0);
  const readers = await Readers.open(served, reading);
  const publishNext = () => (typeof publish === "string" ? publishers.publishAll(publish, event) : publish(readers));
  try {
    const send = async () => {
      await Promise.all([readers.reached(readers.delivered + readers.count * together), publishNext()]);
      if (pause === "quiet") await quiet(served.pids);
      else if (pause > 0) await delay(pause);
    };
    await settle(served);
    for (let sent = 0; sent < WARM_UP; sent += 1) await send();
    readers.reset();
    const meter = new Meter(served.pids);
    const end = performance.now() + ms;
    for (let sent = 0; sent < least || performance.now() < end; sent += 1) await send();
    const cost = meter.read() / readers.delivered;
    return { cost, p50: quantile(readers.latencies, 0.5), p99: quantile(readers.latencies, 0.99) };
  } finally {
    publishers.close();
    readers.close();
    // A server that has ended has failed the round already.
    await settle(served).catch(() => {});
  }
}

/** Waits until a server has done what a measurement left over. Spin looks at its store for as long as it has readers, so it gets a fixed time. */
async function settle(served: Served): Promise<void> {
  if (served.isNeverQuiet) await delay(1_000);
  else await quiet(served.pids);
}
