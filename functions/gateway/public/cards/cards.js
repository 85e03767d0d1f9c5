// @ts-check
// The cards, in their order.

import { card as chat } from "./chat.js";
import { card as collab } from "./collab.js";
import { card as feed } from "./feed.js";
import { card as devices } from "./devices.js";
import { card as status } from "./status.js";
import { card as progress } from "./progress.js";
import { card as notifications } from "./notifications.js";
import { card as streams } from "./streams.js";

export const CARDS = [chat, collab, feed, devices, status, progress, notifications, streams];
