// The one error type: a code to match on, and a sentence that says what is wrong.

import type { Problem } from "./wire.ts";

/** Optional facts about an error beside its code. */
export interface ErrorContext {
  /** Overrides the value that follows from the status. */
  retryable?: boolean;
  /** Milliseconds to wait, as the server says. */
  retryAfterMs?: number | undefined;
  /** The offset to resume from, of `offset-gone`. */
  earliest?: string | undefined;
  /** The error below this one. */
  cause?: unknown;
}

/** A refusal of a server, or the reason why it was not reached. */
export class TidewireError extends Error {
  override readonly name = "TidewireError";
  /**
   * The server's code, such as `access-denied` (PROTOCOL.md has the list); `http-STATUS` for an answer without a code; `connection-lost`
   * or `timeout` without a whole answer.
   */
  readonly code: string;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  /** The fault, in words for people. */
  readonly detail: string;
  /** Whether a retry of the request may succeed. */
  readonly retryable: boolean;
  /** Milliseconds to wait before the next request, as the server says. */
  readonly retryAfterMs: number | undefined;
  /** The offset to resume from, of `offset-gone`. */
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

/** Whether a retry may succeed after an answer with this status; 0 means that no answer came. */
function isRetryable(status: number): boolean {
  return [0, 408, 425, 429].includes(status) || (status >= 500 && status !== 501);
}

/** Reads the problem details of a refusal; quotes any other body. */
export async function errorFrom(answer: Response): Promise<TidewireError> {
  const { status } = answer;
  const retryAfterMs = retryAfter(answer.headers.get("retry-after"));
  const text = await answer.text();
  try {
    const { type, title, detail, earliest } = JSON.parse(text) as Partial<Problem>;
    const code = type?.split("urn:tidewire:")[1];
    if (code) return new TidewireError(code, status, detail ?? title ?? code, { retryAfterMs, earliest });
  } catch {
    // The answer may come from another server, such as a proxy.
  }
  // Durable Streams returns in a header what our servers also return in the problem.
  if (answer.headers.has("producer-expected-seq")) return new TidewireError("producer-gap", status, text);
  return new TidewireError(`http-${status}`, status, text.slice(0, 200) || answer.statusText || `the server answered ${status}`, { retryAfterMs });
}

/** Converts anything thrown before a whole answer. */
export function asError(cause: unknown): TidewireError {
  return cause instanceof TidewireError ? cause : lost(innermost(cause), cause);
}

/** The connection broke, or was never established. */
export function lost(detail: string, cause?: unknown): TidewireError {
  return new TidewireError("connection-lost", 0, detail, { cause });
}

/** The server ended the connection, and will refuse another. */
export function forGood(code: number, reason: string): TidewireError {
  return new TidewireError(reason || `close-${code}`, 0, `the server closed the connection for good, with ${code}`, { retryable: false });
}

/** The innermost cause says more than `TypeError: fetch failed`. */
function innermost(error: unknown): string {
  const cause = (error as Error | undefined)?.cause;
  return cause ? innermost(cause) : String((error as Error | undefined)?.message ?? error);
}

/** Converts seconds or a date to milliseconds from now. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
