// Reading page by page: the short poll and the long poll.

import { readPage, type Content } from "./content.ts";
import { lost } from "./error.ts";
import type { Outcome, Reader } from "./reader.ts";
import { wait } from "./wait.ts";
import { ANSWER_MS, patient, within } from "./watchdog.ts";

/** Longest wait for the answer to a long poll to begin: twice the time that servers hold it. */
const LONG_POLL_MS = 60_000;

/** The facts of an answer beside its events. */
interface Page {
  isUpToDate: boolean;
  isFinished: boolean;
  /** For the next long poll, so that caches can distinguish it from the last. */
  cursor: string;
}

/** Polls every `pollMs`, and at once while there is more. */
export function readPolls(reader: Reader): Promise<Outcome> {
  return readPages(reader, async ({ isUpToDate }) => {
    if (isUpToDate) await wait(reader.pollMs, reader.signal, true);
    return takePage(reader);
  });
}

/** Polls again after each answer. */
export function readLongPolls(reader: Reader): Promise<Outcome> {
  return readPages(reader, ({ cursor }) => takePage(reader, { live: "long-poll", cursor }, LONG_POLL_MS));
}

/** A long poll may be silent for half a minute. The first page, a plain read, shows at once that the server answers, and where `now` is. */
async function readPages(reader: Reader, next: (page: Page) => Promise<Page>): Promise<Outcome> {
  for (let page = await takePage(reader); ; page = await next(page)) {
    if (page.isFinished) return "finished";
    await reader.sink.room();
    if (reader.signal.aborted || reader.sink.mayClimb()) return "again";
  }
}

/** Reads the channel's content type and tail, without its events. */
export function takeTail(reader: Reader): Promise<Content> {
  return withAnswer(reader, { offset: "now" }, ANSWER_MS, async (answer) => {
    reader.resolveNow(nextOffset(answer));
    return reader.learn(answer);
  });
}

function takePage(reader: Reader, query: Record<string, string> = {}, limitMs = ANSWER_MS): Promise<Page> {
  return withAnswer(reader, query, limitMs, async (answer) => {
    const end = nextOffset(answer);
    // The whole body first: half a page does not move the position.
    const events = answer.status === 204 ? [] : await readPage(answer, reader.learn(answer));
    reader.resolveNow(end);
    reader.sink.opened();
    reader.batch(events, end);
    const { headers } = answer;
    const cursor = headers.get("stream-cursor") ?? "";
    return { isUpToDate: headers.has("stream-up-to-date"), isFinished: headers.has("stream-closed"), cursor };
  });
}

function withAnswer<T>(reader: Reader, query: Record<string, string>, limitMs: number, use: (answer: Response) => Promise<T>): Promise<T> {
  return within(limitMs, reader.signal, async (signal, heard) => use(patient(await reader.get(query, signal), heard)));
}

function nextOffset(answer: Response): string {
  const offset = answer.headers.get("stream-next-offset");
  // The answer of another server, such as a login page.
  if (offset === null) throw lost("the answer is not a channel's: it names no offset");
  return offset;
}
