// The one error type: a code to match on, a sentence that says what was wrong.

import type { Problem } from "./wire.ts";

/** What may be known of an error beside its code. */
export interface ErrorContext {
  /** Overrides what the status says. */
  retryable?: boolean;
  /** Milliseconds that the server asks to wait. */
  retryAfterMs?: number | undefined;
  /** The offset to go on from, of `offset-gone`. */
  earliest?: string | undefined;
  /** The error below this one. */
  cause?: unknown;
}

/** What a server refused, or what kept it from being reached. */
export class TidewireError extends Error {
  override readonly name = "TidewireError";
  /**
   * The server's code, such as `access-denied` (PROTOCOL.md has the list); `http-STATUS` when an answer has none; `connection-lost`
   * or `timeout` when there was no whole answer.
   */
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** What was wrong, for people. */
  readonly detail: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Milliseconds that the server asks to wait before the next request. */
  readonly retryAfterMs: number | undefined;
  /** The offset to go on from, of `offset-gone`. */
  readonly earliest: string | undefined;

  /** An error of this code; `retryable` follows from the status unless `context` says otherwise. */
  constructor(code: string, status: number, detail: string, context: ErrorContext = {}) {
    super(`${code}: ${detail}`, { cause: context.cause });
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.retryable = context.retryable ?? isRetryable(status);
    this.retryAfterMs = context.retryAfterMs;
    this.earliest = context.earliest;
  }
}

/** Whether a request that was answered like this may succeed later; 0 is no answer. */
function isRetryable(status: number): boolean {
  return [0, 408, 425, 429].includes(status) || (status >= 500 && status !== 501);
}

/** Reads the problem details of a refusal; other bodies are quoted. */
export async function errorFrom(answer: Response): Promise<TidewireError> {
  const { status } = answer;
  const retryAfterMs = retryAfter(answer.headers.get("retry-after"));
  const text = await answer.text();
  try {
    const { type, title, detail, earliest } = JSON.parse(text) as Partial<Problem>;
    const code = type?.split("urn:tidewire:")[1];
    if (code) return new TidewireError(code, status, detail ?? title ?? code, { retryAfterMs, earliest });
  } catch {
    // Not every answer comes from one of our servers.
  }
  // Durable Streams says in a header what our servers also say in the problem.
  if (answer.headers.has("producer-expected-seq")) return new TidewireError("producer-gap", status, text);
  return new TidewireError(`http-${status}`, status, text.slice(0, 200) || answer.statusText, { retryAfterMs });
}

/** Anything thrown on the way to an answer. */
export function asError(cause: unknown): TidewireError {
  return cause instanceof TidewireError ? cause : lost(innermost(cause), cause);
}

/** The connection broke, or was never there. */
export function lost(detail: string, cause?: unknown): TidewireError {
  return new TidewireError("connection-lost", 0, detail, { cause });
}

/** The server ended the connection, and will not have it again. */
export function forGood(code: number, reason: string): TidewireError {
  return new TidewireError(reason || `close-${code}`, 0, `the server closed the connection for good, with ${code}`, { retryable: false });
}

/** The innermost cause tells more than `TypeError: fetch failed`. */
function innermost(error: unknown): string {
  const cause = (error as Error | undefined)?.cause;
  return cause ? innermost(cause) : String((error as Error | undefined)?.message ?? error);
}

/** Seconds or a date, as milliseconds from now. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
