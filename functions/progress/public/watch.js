// @ts-check
// Follows a job to its end, and keeps what it says.

import { access } from "./access.js";
import { subscribe } from "./client.js";
import { noted } from "./figures.js";

/** @typedef {import("./progress.d.ts").JobState} JobState */

const MAX_BACKOFF_MS = 10_000;

export const progress = { state: "start", events: 0, gaps: 0, job: /** @type {JobState | undefined} */ (undefined), heardAt: 0 };

export const isOver = () => progress.job?.type === "done" || progress.job?.type === "failed";

/** Reads until the channel ends. `show` is called with the state, and with why where that is known. */
export function watch(url, show) {
  let wasLive = false;
  let failure = "";
  const subscription = subscribe(url, {
    ...access,
    transports: ["sse"],
    backoff: { baseMs: 500, capMs: MAX_BACKOFF_MS },
    onEvent({ data }) {
      received(/** @type {JobState} */ (data));
      show(progress.job.type === "progress" ? "live" : progress.job.type);
      if (isOver()) subscription.close();
    },
    // The newest event says all, so what was dropped in between is no loss.
    onGap: () => (progress.gaps += 1),
    onError: ({ detail }) => (failure = detail),
    onState(state) {
      if (state === "live") show(progress.job ? "live" : "waiting");
      else if (state === "finished") show("failed", "The channel was finished without saying how it went.");
      else if (state === "failed") show("refused", failure);
      else if (state === "waiting" || (state === "connecting" && wasLive)) show("reconnecting");
      wasLive = state === "live";
    },
  });
}

/** @param {JobState} job */
function received(job) {
  progress.events += 1;
  progress.job = job;
  progress.heardAt = Date.now();
  noted(job);
}
