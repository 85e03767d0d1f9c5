// Tickets as a user's backend makes them: JWT, HS256.

import { createHmac, randomBytes } from "node:crypto";
import { secret as noted } from "./secrets.ts";

export interface Claims {
  /** The function, such as `chat`. */
  aud: string;
  /** The channel, or the beginning of its name followed by `*`. */
  ch: string;
  rights: ("read" | "publish" | "presence" | "manage")[];
  /** In seconds since 1970; in a minute by default. */
  exp?: number;
  sub?: string;
  jti?: string;
}

/** A key, as TICKET_KEYS has it. */
export interface TicketKey {
  kid: string;
  secret: Buffer;
}

export function freshKey(kid = "k1"): TicketKey {
  const secret = randomBytes(32);
  noted(secret.toString("base64url"));
  return { kid, secret };
}

/** The value of TICKET_KEYS; the first key mints. */
export function ticketKeys(...keys: TicketKey[]): string {
  return keys.map(({ kid, secret }) => `${kid}:${secret.toString("base64url")}`).join(",");
}

export function mint({ kid, secret }: TicketKey, claims: Claims): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT", kid })}.${part({ exp: inSeconds(60), ...claims })}`;
  const signature = createHmac("sha256", secret).update(signed).digest("base64url");
  // The part that nobody else can make.
  return `${signed}.${noted(signature)}`;
}

/** So many seconds from now, as `exp` has it. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds;
}
