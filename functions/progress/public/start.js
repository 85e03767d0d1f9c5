// @ts-check
// What a page may start: an upload, or a job that does nothing for a while.

import { access } from "./access.js";
import { request } from "./client.js";
import { Job } from "./job.js";
import { isOver, progress } from "./watch.js";

const JOB_FRAMES = 240;
const UPLOAD_MS = 86_400_000; // of the longest upload: the answer comes when it is over

/** An id that nobody else has. `crypto.randomUUID` is missing where a phone opens a laptop's page by plain HTTP. */
const randomId = () => crypto.getRandomValues(new Uint8Array(8)).reduce((id, byte) => id + byte.toString(16).padStart(2, "0"), "");

// A server that is busy answers, too.
const why = ({ status, retryable, detail, code }) => (status > 0 || retryable === false ? detail || code : "The server does not answer.");
const send = (url, init) => request(url, init, access);

/**
 * What the page does: `open(name)` shows a channel and gives its address, `onCancel(cancel)` offers to cancel, `refused(message)` says why nothing was
 * started. @typedef {{open: (name: string) => URL, onCancel: (cancel: () => unknown) => void, refused: (message: string) => void}} Page
 */

/** The bytes go up; what the server counted of them comes down like to everybody else. @param {Page} page */
export async function upload(file, page) {
  const name = `demo-upload-${randomId()}`;
  const job = new Job(page.open(name), { label: file.name, max: file.size, unit: "bytes", send });
  const end = (reason, text) => job.fail(reason, text, progress.job?.value).catch((error) => page.refused(why(error)));
  const controller = new AbortController();
  page.onCancel(async () => {
    // Said before the connection is cut, so that it stands there as what it is.
    await end("cancelled", "It was cancelled.");
    controller.abort();
  });
  const target = new URL(`-/upload/${name}?${new URLSearchParams({ name: file.name })}`, document.baseURI);
  try {
    await request(target, { method: "PUT", body: file, signal: controller.signal, limitMs: UPLOAD_MS }, access);
  } catch (error) {
    // Of what began, the channel tells the end.
    if (error.status) return progress.events || page.refused(why(error));
    // Cut off. The server says so in the channel, unless it is the one that is gone.
    if (!isOver()) end("body-incomplete", "The connection broke off.");
  }
}

/** A job that does nothing, for a while. @param {Page} page */
export async function simulate(page) {
  const job = new Job(page.open(`demo-job-${randomId()}`), { label: "Render a film", max: JOB_FRAMES, unit: "frames", send });
  let isCancelled = false;
  page.onCancel(() => {
    isCancelled = true;
    return job.fail("cancelled", "It was cancelled.", progress.job?.value).catch((error) => page.refused(why(error)));
  });
  try {
    await job.start();
    for (let frame = 1; frame <= JOB_FRAMES && !isCancelled; frame++) {
      await new Promise((done) => setTimeout(done, 10 + 50 * Math.random()));
      job.report(frame);
    }
    if (!isCancelled) await job.done();
  } catch (error) {
    page.refused(why(error));
  }
}
