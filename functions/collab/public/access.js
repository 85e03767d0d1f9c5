// @ts-check
// How this page shows that it may: the one line to change when you close its channels.

import { ticketFrom } from "./client.js";

/**
 * For every call of the client. `ticketFrom("/ticket")` where your backend answers a POST to `/ticket` with a ticket as text, or sets it as the
 * cookie; `{ token: () => … }` with your provider's tokens; as it is, nothing: channels under `demo-` need none.
 */
export const access = ticketFrom("");
