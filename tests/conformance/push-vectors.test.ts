// The vectors of shared/push against the libraries that most servers send Web Push with. The crate's own test uses the same file.
// `UPDATE_EXPECT=1` writes what the libraries make of `given`.

import { createECDH, createPublicKey, verify } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterEach, describe, expect, test, vi } from "vitest";

interface Vector {
  id: string;
  purpose: string;
  given: {
    subscription: { endpoint: string; keys: { p256dh: string; auth: string } };
    /** The browser's, so that what it gets can be decrypted. */
    receiver: string;
    text: string;
    ttl: number;
    urgency: string;
    channel?: string;
    id?: string;
    vapid: { publicKey: string; privateKey: string; subject: string };
    salt: string;
    ephemeral: string;
    nowMs: number;
  };
  expected: { url: string; headers: Record<string, string>; claims: string; signature: string; body: string };
}

interface Ece {
  encrypt(text: Buffer, options: object): Buffer;
  decrypt(body: Buffer, options: object): Buffer;
}

interface WebPush {
  generateRequestDetails(subscription: object, text: string, options: object): { endpoint: string; method: string; headers: Record<string, unknown> };
}

// Neither has types.
const load = createRequire(import.meta.url);
const ece = load("http_ece") as Ece;
const webPush = load("web-push") as WebPush;

const FILE = new URL("../../shared/push/vectors/web-push.json", import.meta.url);
const file = JSON.parse(readFileSync(FILE, "utf8")) as { about: string; cases: Vector[] };

const bytes = (text: string) => Buffer.from(text, "base64url");

function privateKey(text: string): ReturnType<typeof createECDH> {
  const key = createECDH("prime256v1");
  key.setPrivateKey(bytes(text));
  return key;
}

/** The output of the libraries, without the signature: they draw a random number for it. */
async function made({ given }: Vector): Promise<Omit<Vector["expected"], "signature">> {
  const { subscription, text, ttl, urgency, vapid, salt, ephemeral, nowMs } = given;
  const { p256dh, auth } = subscription.keys;
  const options = { version: "aes128gcm", dh: p256dh, privateKey: privateKey(ephemeral), salt, authSecret: auth };
  const body = ece.encrypt(Buffer.from(text), options).toString("base64url");
  vi.useFakeTimers({ now: nowMs, toFake: ["Date"] });
  const details = webPush.generateRequestDetails(subscription, text, { TTL: ttl, urgency, topic: await topic(given), vapidDetails: vapid });
  const { Authorization, "Content-Length": _, ...rest } = details.headers;
  const [, header, claims, key] = /^vapid t=([\w-]+)\.([\w-]+)\.[\w-]+, (k=[\w-]+)$/.exec(String(Authorization))!;
  const headers = Object.fromEntries(Object.entries({ ...rest, Authorization: key }).map(([name, value]) => [name.toLowerCase(), String(value)]));
  return { url: details.endpoint, headers, claims: `${header}.${claims}`, body };
}

/** The first 24 bytes of a hash of both names. */
async function topic({ channel, id }: Vector["given"]): Promise<string | undefined> {
  if (channel === undefined) return undefined;
  const hash = await crypto.subtle.digest("SHA-256", Buffer.from(`${channel}\0${id}`));
  return Buffer.from(hash).subarray(0, 24).toString("base64url");
}

afterEach(() => void vi.useRealTimers());

if (process.env.UPDATE_EXPECT) {
  for (const vector of file.cases) vector.expected = { ...vector.expected, ...(await made(vector)) };
  vi.useRealTimers();
  writeFileSync(FILE, `${JSON.stringify(file, null, 2)}\n`);
}

describe.each(file.cases)("push vector $id: $purpose", (vector) => {
  const { given, expected } = vector;

  test("web-push and http_ece make the same request", async () => {
    const { signature: _, ...unsigned } = expected;
    expect(await made(vector)).toEqual(unsigned);
  });

  test("http_ece decrypts the body with the browser's key", () => {
    const options = { version: "aes128gcm", privateKey: privateKey(given.receiver), authSecret: given.subscription.keys.auth };
    expect(ece.decrypt(bytes(expected.body), options).toString()).toBe(given.text);
  });

  test("the signature is that of the key in the header", () => {
    const point = bytes(expected.headers.authorization!.slice(2));
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString("base64url"));
    const key = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
    const isRight = verify("sha256", Buffer.from(expected.claims), { key, dsaEncoding: "ieee-p1363" }, bytes(expected.signature));
    expect(isRight).toBe(true);
  });
});
