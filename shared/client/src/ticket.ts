// Tickets from the application's own backend.

import { errorFrom } from "./error.ts";
import type { RequestOptions } from "./request.ts";
import { ANSWER_MS } from "./watchdog.ts";

/**
 * The `ticket` of a page whose backend answers a POST to `url` with a fresh ticket as text, or sets one as the cookie `tidewire-ticket` and answers
 * nothing. The client requests a ticket when it needs its first ticket, and when a ticket was refused or has expired. A refusal of the backend ends the reader or the request that needed the ticket.
 * Without `url` there is no ticket.
 *
 * ```ts
 * subscribe("/chat/team-1", ticketFrom("/ticket"));
 * ```
 */
export function ticketFrom(url?: string | URL): RequestOptions {
  let kept: string | undefined;
  let coming: Promise<string> | undefined;
  if (!url) return {};
  const fetched = async () => {
    const answer = await fetch(url, { method: "POST", signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) throw await errorFrom(answer);
    return (kept = (await answer.text()).trim());
  };
  return {
    async ticket(wasRefused) {
      if (kept !== undefined && !wasRefused) return kept;
      // All that need one at the same time share a request.
      coming ??= fetched().finally(() => (coming = undefined));
      return coming;
    },
  };
}
