// Notifications for closed pages: from a publish to the push service.

import { setTimeout as delay } from "node:timers/promises";
import { freshVapid, PushService } from "../../harness/push-service.ts";
import { Connection } from "../connection.ts";
import { TIDEWIRE, TIDEWIRE_SPIN } from "../contestants.ts";
import { difference, figure, type Contestant, type Figures, type Job, type Pace } from "../job.ts";
import { Meter, quiet } from "../processor.ts";
import type { Recipe, Served } from "../served.ts";
import { spinWith } from "../spin.ts";
import { quantile } from "../spread.ts";
import { freshName } from "../turns.ts";
import { within } from "../within.ts";
import { OURS, workerd } from "../workerd.ts";

const JSON_TYPE = ["Content-Type: application/json"];
/** More than the first retry of what a busy machine did not send in 10 s. */
const LIMIT_MS = 60_000;
const WARM_UP = 3;
/** Users who are notified together, and publishers that do it. */
const [USERS, PUBLISHERS] = [100, 16];

/** A server, and the push service of its users. */
interface Pushing {
  recipe: Recipe;
  service: () => PushService;
}

function pushing(name: string, recipe: (vars: Record<string, string>) => Recipe): Pushing {
  let service: PushService;
  return {
    service: () => service,
    recipe: {
      name,
      async start() {
        service = await PushService.start();
        const vars = { VAPID_KEYS: freshVapid().setting, VAPID_SUBJECT: "mailto:admin@example.com", PUSH_SERVICES: service.origin, PUSH_DELAY_MS: "1" };
        const served = await recipe(vars).start();
        return { ...served, stop: () => served.stop().finally(() => service.stop()) };
      },
    },
  };
}

const SERVERS: [who: string, Pushing][] = [
  [TIDEWIRE, pushing("ours-push", (vars) => workerd("", { objects: { NOTIFICATIONS_CHANNEL: "NotificationsChannel" }, vars: { ...OURS.vars, ...vars } }))],
  [TIDEWIRE_SPIN, pushing("spin-push", (vars) => spinWith("", { ...vars, PUSH_ORIGIN: "http://127.0.0.1:*" }))],
];

/** What the push service has got for a user, and when by `performance.now()`. */
type Received = { at: number }[];

interface User {
  channel: string;
  received: Received;
}

async function ask(connection: Connection, method: string, path: string, body: unknown): Promise<void> {
  const { status } = await connection.request(method, path, JSON_TYPE, JSON.stringify(body));
  if (status >= 300) throw new Error(`${method} ${path} answered ${status}`);
}

/** A user with one device. */
async function subscribed(connection: Connection, service: PushService): Promise<User> {
  const channel = freshName();
  const { subscription, received } = service.browser();
  await ask(connection, "PUT", `/notifications/-/push/${channel}`, subscription);
  return { channel, received };
}

const notify = (connection: Connection, { channel }: User) =>
  ask(connection, "POST", `/notifications/${channel}`, { type: "notification", id: "n", title: "Your order", body: "It was sent today", at: Date.now() });

async function came(users: User[], count: number): Promise<void> {
  const left = () => users.filter(({ received }) => received.length < count).length;
  const all = async () => {
    while (left() > 0) await delay(1);
  };
  await within(LIMIT_MS, () => `${users.length - left()} of ${users.length} pushes came`, all());
}

/** One notification after another; the next when the push service has the one before. */
async function oneByOne(served: Served, user: User, hasDevice: boolean, ms: number): Promise<Figures> {
  const connection = await Connection.open(served.port);
  try {
    let times: number[] = [];
    const send = async () => {
      const [begin, count] = [performance.now(), user.received.length + 1];
      await notify(connection, user);
      if (hasDevice) await came([user], count);
      times.push((user.received.at(-1)?.at ?? performance.now()) - begin);
    };
    for (let sent = 0; sent < WARM_UP; sent += 1) await send();
    await quiet(served.pids);
    times = [];
    const meter = new Meter(served.pids);
    for (const end = performance.now() + ms; performance.now() < end; ) await send();
    // What it notes of the last one.
    await quiet(served.pids);
    return { cost: meter.read() / times.length, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
  } finally {
    connection.close();
  }
}

/** A notification for each user. */
async function together(served: Served, users: User[]): Promise<Figures> {
  const connections = await Promise.all(Array.from({ length: PUBLISHERS }, () => Connection.open(served.port)));
  try {
    await quiet(served.pids);
    const count = users[0]!.received.length + 1;
    const meter = new Meter(served.pids);
    const begin = performance.now();
    const begun = new Map<User, number>();
    const left = users.values();
    const published = connections.map(async (connection) => {
      for (const user of left) {
        begun.set(user, performance.now());
        await notify(connection, user);
      }
    });
    await Promise.all([...published, came(users, count)]);
    const ends = users.map(({ received }) => received.at(-1)!.at);
    const times = users.map((user, index) => ends[index]! - begun.get(user)!);
    await quiet(served.pids);
    return { cost: meter.read() / users.length, p50: quantile(times, 0.5), p99: quantile(times, 0.99), rate: users.length / ((Math.max(...ends) - begin) / 1_000) };
  } finally {
    connections.forEach((connection) => connection.close());
  }
}

function contestant(who: string, { recipe, service }: Pushing, users: number, measure: (served: Served, users: User[], pace: Pace) => Promise<Figures>): Contestant {
  return {
    who,
    recipe,
    async begin(served, pace) {
      const connection = await Connection.open(served.port);
      const all: User[] = [];
      while (all.length < users) all.push(await subscribed(connection, service()));
      connection.close();
      return () => measure(served, all, pace);
    },
  };
}

const WITHOUT = "no device";
const [ONE, MANY] = ["1 user", `${USERS} users`];

export const push: Job = {
  name: "push",
  title: "Web Push",
  about: `A notification for a user with one device and no open page, PUSH_DELAY_MS 1. Of 1 user the next is published when the push service has the one before; ${USERS} users are notified by ${PUBLISHERS} publishers. The times are those from publish to push service, or to the acknowledgement where there is no device. The service decrypts each message, on the core of the load.`,
  unit: "µs a notification",
  columns: [
    { figure: "p50", heading: "p50 ms" },
    { figure: "p99", heading: "p99 ms" },
    { figure: "rate", heading: "pushes/s" },
  ],
  cells: [
    {
      name: ONE,
      contestants: SERVERS.flatMap(([who, server]) => [
        contestant(who, server, 1, (served, [user], pace) => oneByOne(served, user!, true, pace.time(1_500))),
        contestant(`${who}, ${WITHOUT}`, server, 0, (served, _, pace) => oneByOne(served, { channel: freshName(), received: [] }, false, pace.time(1_000))),
      ]),
    },
    { name: MANY, contestants: SERVERS.map(([who, server]) => contestant(who, server, USERS, together)) },
  ],
  lines: SERVERS.flatMap(([who]): Job["lines"] => [
    { what: `a push on a publish, added: ${who}`, unit: "µs", value: (outcome) => difference(outcome, ONE, who, `${who}, ${WITHOUT}`) },
    { what: `from a publish to the push service, p99: ${who}`, unit: "ms", value: (outcome) => figure(outcome, ONE, who, "p99") },
    { what: `pushes a second, ${USERS} users: ${who}`, unit: "pushes/s", value: (outcome) => figure(outcome, MANY, who, "rate") },
  ]),
};
