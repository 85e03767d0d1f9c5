// Publish-to-receive latency per transport with 1, 100 and 1,000 readers, as a Markdown table.
//
//   TIDEWIRE_PLATFORM=spin node bench/latency.mjs
//
// One server, one publisher, and all readers in this process on sockets of their own, so the clock is one and the figures
// include this process's share of the work. An event is published when everyone has the one before.

import { randomUUID } from "node:crypto";
import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { eventually } from "../harness/eventually.ts";
import { offers } from "../harness/platform.ts";
import { Server } from "../harness/server.ts";

const READERS = [1, 100, 1_000];
const POLL_MS = 1_000;
/** Events per cell: enough samples for a p99, few enough that the whole takes some minutes. */
const EVENTS = { 1: 200, 100: 50, 1000: 15 };
const POLLED_EVENTS = { 1: 20, 100: 8, 1000: 5 };
/** Between everyone has an event and the next: long polls have returned to waiting. */
const PAUSE_MS = { 1: 10, 100: 50, 1000: 500 };
/** A cell that takes longer ends with the events it has. */
const CELL_LIMIT_MS = 25_000;
/** Readers that connect at once: Spin starts an instance whenever all are busy and keeps it for as long as it has a stream. */
const ARRIVING = 20;

// An agent of its own: readers keep their connections, the publisher its.
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
const publisher = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** One transport: calls `receive` for each event until `signal` aborts. */
const FOLLOW = {
  WebSocket: followSocket,
  SSE: followStream,
  "long poll": (channel, receive, signal) => followPolls(channel, receive, signal, "&live=long-poll", 0),
  [`short poll, ${POLL_MS / 1000} s`]: (channel, receive, signal) => followPolls(channel, receive, signal, "", POLL_MS),
};

function followSocket(channel, receive, signal) {
  const socket = new WebSocket(`${channel.replace("http", "ws")}?offset=-1`, "tidewire.v1");
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === "events") frame.events.forEach((event) => receive(event.data));
  });
  signal.addEventListener("abort", () => socket.close());
}

function followStream(channel, receive, signal) {
  const parser = createParser({ onEvent: ({ data }) => receive(JSON.parse(data)) });
  http
    .get(`${channel}?offset=-1`, { agent, headers: { accept: "text/event-stream" }, signal }, (answer) => {
      answer.setEncoding("utf8").on("data", (text) => parser.feed(text)).on("error", quiet(signal));
    })
    .on("error", quiet(signal));
}

async function followPolls(channel, receive, signal, live, pauseMs) {
  // Readers come at any time, not all in the same moment of the second.
  if (pauseMs) await delay(Math.random() * pauseMs);
  for (let offset = "-1"; !signal.aborted; ) {
    const answer = await get(`${channel}?offset=${offset}${live}`, signal).catch(quiet(signal));
    if (!answer) return;
    offset = answer.headers["stream-next-offset"];
    if (answer.statusCode === 200) JSON.parse(answer.body).forEach(receive);
    if (pauseMs) await delay(pauseMs, undefined, { signal }).catch(quiet(signal));
  }
}

/** Errors count unless the readers are being closed. */
function quiet(signal) {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}

function get(url, signal) {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent, signal }, (answer) => {
        let body = "";
        answer
          .setEncoding("utf8")
          .on("data", (text) => (body += text))
          .on("end", () => resolve({ ...answer, headers: answer.headers, statusCode: answer.statusCode, body }))
          .on("error", reject);
      })
      .on("error", reject);
  });
}

function publish(channel, data) {
  return new Promise((resolve, reject) => {
    http
      .request(channel, { method: "POST", agent: publisher, headers: { "content-type": "application/json" } }, (answer) => {
        answer.resume().on("end", () => (answer.statusCode === 204 ? resolve() : reject(new Error(`publish: ${answer.statusCode}`))));
      })
      .on("error", reject)
      .end(JSON.stringify(data));
  });
}

async function measure(base, transport, readers) {
  const channel = `${base}/feed/demo-bench-${randomUUID()}`;
  const polled = transport.startsWith("short");
  const closing = new AbortController();
  const latencies = [];
  let arrived = 0;
  let sent = 0;
  await publish(channel, 0);
  for (let reader = 1; reader <= readers; reader += 1) {
    FOLLOW[transport](
      channel,
      (number) => {
        arrived += 1;
        if (number > 0) latencies.push(performance.now() - sent);
      },
      closing.signal,
    );
    if (reader % ARRIVING === 0) await eventually(`${reader} readers by ${transport} are connected`, () => arrived >= reader);
  }
  await eventually(`${readers} readers by ${transport} are connected`, () => arrived === readers, 60_000);

  const end = performance.now() + CELL_LIMIT_MS;
  for (let number = 1; number <= (polled ? POLLED_EVENTS : EVENTS)[readers] && performance.now() < end; number += 1) {
    await delay(polled ? Math.random() * POLL_MS : PAUSE_MS[readers]);
    arrived = 0;
    sent = performance.now();
    await publish(channel, number);
    await eventually(`event ${number} reaches ${readers} readers by ${transport}`, () => arrived === readers, 60_000);
  }
  closing.abort();
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.ceil(share * latencies.length) - 1].toFixed(1);
  return { p50: at(0.5), p99: at(0.99), samples: latencies.length };
}

const server = await Server.start({
  name: "bench",
  // A stream that ends in the middle would measure the reconnection.
  vars: { OPEN_ACCESS: "true", STREAM_MAX_FRAMES: "100000" },
});
try {
  console.log("| transport | readers | p50 ms | p99 ms | deliveries |");
  console.log("|---|--:|--:|--:|--:|");
  for (const transport of Object.keys(FOLLOW).filter((name) => name !== "WebSocket" || offers("websocket"))) {
    for (const readers of READERS) {
      const { p50, p99, samples } = await measure(server.url, transport, readers);
      console.log(`| ${transport} | ${readers} | ${p50} | ${p99} | ${samples} |`);
    }
  }
} finally {
  await server.stop();
}
process.exit(0);
