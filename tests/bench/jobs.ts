// All jobs, in the order of a run.

import type { Job } from "./job.ts";
import { appends, channels, logLength, retention, spinAppend } from "./jobs/appends.ts";
import { burst } from "./jobs/burst.ts";
import { catchUp } from "./jobs/catch-up.ts";
import { readers, spinDelivery, sse, websocket } from "./jobs/deliveries.ts";
import { documents } from "./jobs/documents.ts";
import { longPoll } from "./jobs/long-poll.ts";
import { opening } from "./jobs/opening.ts";
import { push } from "./jobs/push.ts";
import { spinRest } from "./jobs/spin-rest.ts";
import { start } from "./jobs/start.ts";
import { token } from "./jobs/token.ts";

export const JOBS: Job[] = [burst, websocket, sse, longPoll, appends, retention, catchUp, opening, token, start, spinRest, spinAppend, spinDelivery, readers, logLength, channels, documents, push];
