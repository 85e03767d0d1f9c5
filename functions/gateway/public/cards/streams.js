// @ts-check
// Streams: the raw log.

import { publish } from "../client.js";
import { at, element, follow } from "./stage.js";

const LINES = 4; // of the log

const LOG = "v1/stream/demo-gallery";

/** @param {import("./stage.js").Miniature} miniature */
async function startStream(miniature) {
  const { stage, signal } = miniature;
  if (!stage.childElementCount) {
    const code = `curl -N '${at(LOG)}?offset=-1&live=sse'`;
    stage.append(element("ol"), element("pre", code));
  }
  // An hour after the last read or append it is gone.
  await fetch(at(LOG), { method: "PUT", headers: { "Content-Type": "application/json", "Stream-TTL": "3600" } }).catch(() => {});
  if (signal.aborted) return;
  follow(LOG, miniature, {
    transports: ["sse"],
    onEvent: ({ offset, data }) => {
      const list = stage.querySelector("ol");
      const line = element("li");
      line.append(element("b", `…${offset.slice(-6)}`), ` ${JSON.stringify(data).slice(0, 60)}`);
      list.append(line);
      while (list.children.length > LINES) list.firstElementChild.remove();
    },
  });
}

/** @type {import("./stage.js").Card} */
export const card = {
  name: "streams",
  transport: "SSE",
  text: "The raw log, as Durable Streams describe it: create a stream, append to it, read it live.",
  isHeld: true,
  start: startStream,
  act: "Append",
  press: () => publish(at(LOG), { clicked: new Date().toISOString().slice(11, 19) }),
};
