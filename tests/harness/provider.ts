// A provider of tokens on the loopback: signs them, publishes its keys in the shapes of the well-known ones, and stops on demand.

import { once } from "node:events";
import { generateKeyPairSync, sign, type JsonWebKey, type KeyObject } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

type Algorithm = "RS256" | "ES256" | "EdDSA";

export interface ProviderKey {
  algorithm: Algorithm;
  kid: string;
  secret: KeyObject;
  /** As it is published. */
  jwk: JsonWebKey & Record<string, unknown>;
}

const PAIRS: Record<Algorithm, () => { publicKey: KeyObject; privateKey: KeyObject }> = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};

/** A key with the members that a provider adds to it. */
export function freshProviderKey(algorithm: Algorithm, kid: string, members: Record<string, unknown> = { use: "sig", alg: algorithm }): ProviderKey {
  const { publicKey, privateKey } = PAIRS[algorithm]();
  return { algorithm, kid, secret: privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, ...members } };
}

export const part = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

export class Provider {
  readonly issuer = "https://issuer.example/";
  readonly audience = "https://app.example";
  /** The published document, which a test may change. */
  jwks: unknown[];
  /** The number of requests to it. */
  fetches = 0;
  #server: Server | undefined;
  #port = 0;

  private constructor(keys: ProviderKey[]) {
    this.jwks = keys.map(({ jwk }) => jwk);
  }

  static async start(keys: ProviderKey[]): Promise<Provider> {
    const provider = new Provider(keys);
    await provider.up();
    return provider;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The settings of a server that trusts it. */
  get vars(): Record<string, string> {
    return { JWKS_URL: `${this.origin}/jwks.json`, JWKS_ORIGIN: this.origin, JWT_ISSUER: this.issuer, JWT_AUDIENCE: this.audience };
  }

  /** Answers from now on, on the port that it had. */
  async up(): Promise<void> {
    this.#server = createServer((_, answer) => {
      this.fetches += 1;
      answer.setHeader("content-type", "application/json").end(JSON.stringify({ keys: this.jwks }));
    }).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses connections from now on. */
  async down(): Promise<void> {
    const closed = once(this.#server!, "close");
    this.#server!.close();
    this.#server!.closeAllConnections();
    await closed;
  }

  /** A token with these members in place of its own; `undefined` leaves one out. */
  token(key: ProviderKey, claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
    const now = Math.floor(Date.now() / 1_000);
    const signed = [
      { alg: key.algorithm, typ: "JWT", kid: key.kid, ...header },
      { iss: this.issuer, aud: this.audience, sub: "ann", iat: now, exp: now + 3_600, ...claims },
    ].map(part).join(".");
    const options = { key: key.secret, dsaEncoding: "ieee-p1363" as const };
    return `${signed}.${sign(key.algorithm === "EdDSA" ? null : "sha256", Buffer.from(signed), options).toString("base64url")}`;
  }
}
