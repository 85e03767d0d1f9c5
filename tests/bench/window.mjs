// The cost of counting for the window in a fan-out: readers that acknowledge against readers that offer no subprotocol, as a ratio within one run.
//
//   node bench/window.mjs
//
// The answer to a publish leaves after the fan-out, so its time is the time of the fan-out and of what both sides have in common.

import { randomUUID } from "node:crypto";
import { eventually } from "../harness/eventually.ts";
import { Server } from "../harness/server.ts";

const READERS = 1_000;
const EVENTS = 200;

async function open(base, protocols) {
  const channel = `${base}/feed/demo-bench-${randomUUID()}`;
  const side = { channel, received: 0, times: [] };
  await publish(side);
  for (let reader = 0; reader < READERS; reader += 1) {
    const socket = new WebSocket(`${channel.replace("http", "ws")}?offset=-1`, protocols);
    socket.addEventListener("message", ({ data }) => (side.received += data.startsWith('{"type":"events"') ? 1 : 0));
  }
  await eventually(`${READERS} readers are connected`, () => side.received === READERS, 60_000);
  return side;
}

async function publish(side) {
  const begin = performance.now();
  const answer = await fetch(side.channel, { method: "POST", headers: { "content-type": "application/json" }, body: '{"at":0}' });
  if (answer.status !== 204) throw new Error(`publish: ${answer.status}`);
  return performance.now() - begin;
}

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];

const server = await Server.start({ name: "bench-window", vars: { OPEN_ACCESS: "true" } });
try {
  const counted = await open(server.url, ["tidewire.v1"]);
  const uncounted = await open(server.url, []);
  // In turns, so that whatever else the machine does meets both.
  for (let event = 0; event < EVENTS; event += 1) {
    for (const side of [counted, uncounted]) {
      side.received = 0;
      side.times.push(await publish(side));
      await eventually("everyone has it", () => side.received === READERS);
    }
  }
  const [a, b] = [median(counted.times), median(uncounted.times)];
  console.log(`${READERS} readers, ${EVENTS} events: ${a.toFixed(2)} ms a publish with the window, ${b.toFixed(2)} ms without, ratio ${(a / b).toFixed(2)}`);
} finally {
  await server.stop();
}
process.exit(0);
