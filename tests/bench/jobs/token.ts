// What a credential adds to a request.

import { freshProviderKey, Provider } from "../../harness/provider.ts";
import { freshKey, inSeconds, mint, ticketKeys } from "../../harness/ticket.ts";
import { LOGS, oursWith, PLAIN, plainWith, TIDEWIRE } from "../contestants.ts";
import { difference, type Contestant, type Job } from "../job.ts";
import { append } from "../publishers.ts";
import type { Recipe } from "../served.ts";
import { freshName } from "../turns.ts";

const CELL = "16 publishers";
const WITHOUT = "no credential";

const key = freshProviderKey("ES256", "es");
const tickets = freshKey();

/** A server that trusts a provider of its own. */
function trusting(name: string, recipe: (vars: Record<string, string>) => Recipe): { recipe: Recipe; token: () => string } {
  let provider: Provider;
  let made = 0;
  return {
    recipe: {
      name,
      async start() {
        provider = await Provider.start([key]);
        const served = await recipe(provider.vars).start();
        return { ...served, stop: () => served.stop().finally(() => provider.down()) };
      },
    },
    token: () => provider.token(key, { jti: String((made += 1)) }),
  };
}

const ours = trusting("ours-tokens", (vars) => oursWith("", { ...vars, TICKET_KEYS: ticketKeys(tickets) }));
const plain = trusting("plain-tokens", ({ JWT_ISSUER, JWT_AUDIENCE }) => plainWith("", { JWK: JSON.stringify(key.jwk), ISSUER: JWT_ISSUER!, AUDIENCE: JWT_AUDIENCE! }));

/** `credential` is called once a round, and what it returns for each publish. */
function contestant(who: string, recipe: Recipe, path: (channel: string) => string, credential: () => () => string | undefined): Contestant {
  return {
    who,
    recipe,
    begin: async (served, pace) => () => {
      const channel = path(freshName());
      const next = credential();
      const headers = () => {
        const text = next();
        return text ? [`Authorization: Bearer ${text}`] : [];
      };
      return append(served, { publishers: 16, path: () => channel, ms: pace.time(1_500), headers });
    },
  };
}

/** Without a credential, with a token that no one has seen in each request, and with one token in all. */
function withTokens(who: string, { recipe, token }: typeof ours, path: (channel: string) => string): Contestant[] {
  return [
    contestant(`${who}, ${WITHOUT}`, recipe, path, () => () => undefined),
    contestant(`${who}, ES256 token, first time`, recipe, path, () => token),
    contestant(`${who}, ES256 token, again`, recipe, path, () => {
      const same = token();
      return () => same;
    }),
  ];
}

function ticket(): () => string {
  const text = mint(tickets, { aud: "feed", ch: "*", rights: ["read", "publish"], exp: inSeconds(3_000) });
  return () => text;
}

const lines = (who: string, goals: [first?: number, again?: number]) =>
  ["first time", "again"].map((time, index): Job["lines"][number] => {
    const goal = goals[index];
    return { what: `ES256 token on a request, ${time}, added: ${who}`, ...(goal ? { goal } : {}), unit: "µs", value: (outcome) => difference(outcome, CELL, `${who}, ES256 token, ${time}`, `${who}, ${WITHOUT}`) };
  });

export const token: Job = {
  name: "token",
  title: "Credentials",
  about: "16 publishers append to a channel that is open to all, so that the credential alone makes the difference. For the first time each request has a token of its own. Plain JavaScript verifies with the platform's own crypto, and remembers 1,000 tokens.",
  unit: "µs an append",
  columns: [{ figure: "p99", heading: "p99 ms" }],
  cells: [
    {
      name: CELL,
      contestants: [...withTokens(TIDEWIRE, ours, LOGS.ours.path), contestant(`${TIDEWIRE}, ticket`, ours.recipe, LOGS.ours.path, ticket), ...withTokens(PLAIN, plain, LOGS.plain.path)],
    },
  ],
  lines: [...lines(TIDEWIRE, [100, 15]), ...lines(PLAIN, [])],
};
