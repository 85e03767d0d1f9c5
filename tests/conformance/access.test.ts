// Access: tickets and tokens in every place where a request may carry them, and the attacks on them, each with its answer.

import { createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { shiftClock } from "../harness/host.ts";
import { freshProviderKey, part, Provider, type ProviderKey } from "../harness/provider.ts";
import { sendRaw, type RawAnswer } from "../harness/raw.ts";
import { webSocketUrl, type ServerFrame } from "../harness/readers.ts";
import { Server } from "../harness/server.ts";
import { describeOwnServer, freshName, useOwnServer } from "../harness/suite.ts";
import { freshKey, inSeconds, mint, ticketKeys, type Claims } from "../harness/ticket.ts";

const KEY = freshKey("k1");
const OLD_KEY = freshKey("k0");
const RSA = freshProviderKey("RS256", "rsa");
// As Entra publishes its keys: without `alg`.
const UNNAMED = freshProviderKey("RS256", "unnamed", { use: "sig", x5c: ["MIIC"], issuer: "https://issuer.example/" });
const EC = freshProviderKey("ES256", "ec", { alg: "ES256", use: "sig", key_ops: ["verify"], ext: true });
const ED = freshProviderKey("EdDSA", "ed", {});
const ENCRYPTION = freshProviderKey("RS256", "enc", { use: "enc", alg: "RSA-OAEP" });
const STRANGER = freshProviderKey("ES256", "ec");
const LONG = rsaKey("long", 3_072, 3);
// What a provider would publish by mistake, or an attacker in its place.
const WEAK = rsaKey("weak", 1_024, 65_537);
const EXPONENT_ONE = published(RSA, "one", { e: "AQ" });
const OFF_CURVE = published(EC, "off-curve", { y: EC.jwk.x });
// The neutral element: under this key anyone can sign anything.
const SMALL_ORDER = published(ED, "small-order", { x: `AQ${"A".repeat(41)}` });
const HOSTILE = [WEAK, EXPONENT_ONE, OFF_CURVE, SMALL_ORDER];
const STRANGE_KINDS = [{ kty: "LMS", kid: "rsa" }, { kty: "oct", kid: "oct", k: "AAAA" }, 7];

function rsaKey(kid: string, modulusLength: number, publicExponent: number): ProviderKey {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength, publicExponent });
  return { algorithm: "RS256", kid, secret: privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid } };
}

/** The key under another name, published with other members. */
function published(key: ProviderKey, kid: string, members: Record<string, unknown>): ProviderKey {
  return { ...key, kid, jwk: { ...key.jwk, kid, ...members } };
}

/** The request line and headers of a request to a channel. */
interface Attack {
  method?: string;
  path?: string;
  query?: string;
  headers?: string[];
  body?: string;
}

const bearer = (text: string): Attack => ({ headers: [`Authorization: Bearer ${text}`] });
const cookie = (text: string, ...more: string[]): Attack => ({ headers: [`Cookie: tidewire-ticket=${text}`, ...more] });
const inQuery = (text: string): Attack => ({ query: `?ticket=${text}` });
const json = { method: "POST", body: "1" };

const ticket = (claims: Partial<Claims> & Record<string, unknown> = {}, key = KEY) => mint(key, { aud: "feed", ch: "room", rights: ["read"], ...claims });

async function send(base: string, { method = "GET", path = "/feed/room", query = "", headers = [], body = "" }: Attack): Promise<RawAnswer> {
  const type = body ? ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`] : [];
  return sendRaw(base, [`${method} ${path}${query} HTTP/1.1`, ...type, ...headers], body);
}

/** The status with the code of the problem, if it is one. */
function told({ status, body }: RawAnswer): string {
  const code = /"urn:tidewire:([a-z0-9-]+)"/.exec(body)?.[1];
  return code ? `${status} ${code}` : String(status);
}

describeOwnServer("who is let in", () => {
  let provider: Provider;
  const vars: Record<string, string> = { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(KEY, OLD_KEY) };
  const shown: string[] = [];
  beforeAll(async () => {
    provider = await Provider.start([ENCRYPTION, RSA, UNNAMED, EC, ED, LONG, ...HOSTILE]);
    provider.jwks.push(...STRANGE_KINDS);
    Object.assign(vars, provider.vars);
  });
  const server = useOwnServer("access", vars);
  afterAll(() => provider.down());

  const ask = async (attack: Attack) => {
    shown.push(...[...(attack.headers ?? []), attack.query ?? ""].flatMap((text) => text.match(/[\w-]+\.[\w-]+\.[\w-]{20,}/g) ?? []));
    return told(await send(server.url, attack));
  };
  const alter = (text: string, index: number, value: string) => text.split(".").map((part, at) => (at === index ? value : part)).join(".");
  const rsaAsSecret = (header: object) => {
    const pem = createPublicKey({ key: RSA.jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
    const signed = `${part({ alg: "HS256", typ: "JWT", ...header })}.${provider.token(RSA).split(".")[1]}`;
    return `${signed}.${createHmac("sha256", pem).update(signed).digest("base64url")}`;
  };

  /** A token of this key with this signature in the place of its own. */
  const forged = (key: ProviderKey, signature: (message: Buffer, own: Buffer) => Buffer) => {
    const [header, claims, own] = provider.token(key, { jti: freshName() }).split(".");
    const signed = `${header}.${claims}`;
    return bearer(`${signed}.${signature(Buffer.from(signed), Buffer.from(own!, "base64url")).toString("base64url")}`);
  };

  test("a ticket opens its channel as bearer, in the address and as a cookie of a page of ours", async () => {
    for (const way of [bearer(ticket()), inQuery(ticket()), cookie(ticket(), "Sec-Fetch-Site: same-origin"), cookie(ticket(), `Origin: ${server.url}`)]) {
      expect(await ask(way)).toBe("200");
    }
    expect(await ask(bearer(ticket({ ch: "ro*" })))).toBe("200");
    expect(await ask(bearer(ticket({}, OLD_KEY)))).toBe("200");
    expect(await ask({ ...bearer(ticket({ rights: ["publish"] })), ...json })).toBe("204");
  });

  test("a ticket's times may have a fraction, and its subject any letters", async () => {
    const soon = Date.now() / 1_000 + 300.25;
    expect(await ask(bearer(ticket({ exp: soon, nbf: soon - 400, iat: soon - 400 })))).toBe("200");
    expect(await ask(bearer(ticket({ sub: "Zoë 日本 \u{1f600}", jti: "ü" })))).toBe("200");
    const answer = await send(server.url, bearer(ticket({ exp: "soon" as unknown as number })));
    expect(told(answer)).toBe("401 credential-invalid");
    expect(answer.body).toContain("`exp`");
  });

  test("an attacker that chooses part of a cookie plants no ticket", async () => {
    const page = "Sec-Fetch-Site: same-origin";
    expect(await ask({ headers: [`Cookie: name=x, tidewire-ticket=${ticket()}`, page] })).toBe("401 credential-missing");
    expect(await ask({ headers: [`Cookie: name=x, tidewire-ticket=${ticket({ ch: "other" })}; tidewire-ticket=${ticket()}`, page] })).toBe("200");
  });

  test("a credential in the address is not in that of the answer", async () => {
    const path = `/v1/stream/room-${freshName()}`;
    const maker = mint(KEY, { aud: "streams", ch: "*", rights: ["manage"] });
    const answer = await send(server.url, { method: "PUT", path, ...inQuery(maker), headers: ["Content-Length: 0"] });
    expect([answer.status, answer.headers.get("location")]).toEqual([201, `${server.url}${path}`]);
  });

  test("a token of the provider opens what `authorize` says, whatever kind of key signed it", async () => {
    for (const key of [RSA, UNNAMED, EC, ED, LONG]) expect(await ask(bearer(provider.token(key))), key.kid).toBe("200");
    expect(await ask({ ...bearer(provider.token(RSA)), ...json })).toBe("403 access-denied");
    expect(provider.fetches).toBe(1);
  });

  test("a client without a credential learns how to get access, and pages stay open to it", async () => {
    const answer = await send(server.url, {});
    expect(told(answer)).toBe("401 credential-missing");
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    expect(answer.body).toContain("tidewire token");
    expect(await ask({ path: "/feed/", headers: ["Cookie: tidewire-ticket=over"] })).toBe("200");
    expect(await ask({ path: `/feed/${freshName()}` })).toBe("200");
    // For a proxy in front.
    expect(await ask({ path: `/feed/${freshName()}`, headers: ["Authorization: Basic YTpi"] })).toBe("200");
  });

  const attacks: [string, () => Attack, string | RegExp][] = [
    ["alg: none", () => bearer(`${part({ alg: "none", typ: "JWT", kid: "k1" })}.${ticket().split(".")[1]}.`), "401 credential-invalid"],
    ["alg: none, and a signature", () => bearer(alter(ticket(), 0, part({ alg: "none", kid: "k1" }))), "401 credential-invalid"],
    ["alg: nOnE of a token", () => bearer(alter(provider.token(RSA), 0, part({ alg: "nOnE", kid: "rsa" }))), "401 credential-invalid"],
    ["no alg", () => bearer(alter(ticket(), 0, part({ typ: "JWT", kid: "k1" }))), "401 credential-invalid"],
    ["the public key as a secret", () => bearer(rsaAsSecret({ kid: "rsa" })), "401 credential-invalid"],
    ["the public key as a secret, under our kid", () => bearer(rsaAsSecret({ kid: "k1" })), "401 credential-invalid"],
    ["a key of one algorithm, named with another", () => bearer(provider.token({ ...EC, kid: "rsa" })), "401 credential-invalid"],
    ["a key for encryption", () => bearer(provider.token(ENCRYPTION)), "401 credential-invalid"],
    ["a key that comes in the header", () => bearer(provider.token(STRANGER, {}, { jwk: STRANGER.jwk, jku: "https://attacker.example/" })), "401 credential-invalid"],
    ["another provider's key under a known kid", () => bearer(provider.token(STRANGER)), "401 credential-invalid"],
    ["an unknown kid", () => bearer(provider.token({ ...RSA, kid: "nobody" })), "401 credential-invalid"],
    ["a kid that is a path", () => bearer(provider.token({ ...RSA, kid: "../../etc/passwd" })), "401 credential-invalid"],
    ["no kid", () => bearer(provider.token(RSA, {}, { kid: undefined })), "401 credential-invalid"],
    ["a header that demands what we do not do", () => bearer(provider.token(RSA, {}, { crit: ["exp"] })), "401 credential-invalid"],
    ["a logout token", () => bearer(provider.token(RSA, {}, { typ: "logout+jwt" })), "401 credential-invalid"],
    ["an expired token", () => bearer(provider.token(RSA, { exp: inSeconds(-1) })), "401 credential-expired"],
    ["a token that does not end", () => bearer(provider.token(RSA, { exp: undefined })), "401 credential-invalid"],
    ["a token that is not valid yet", () => bearer(provider.token(RSA, { nbf: inSeconds(120) })), "401 credential-invalid"],
    ["a token for another audience", () => bearer(provider.token(RSA, { aud: "https://other.example" })), "401 credential-invalid"],
    ["a token for no audience", () => bearer(provider.token(RSA, { aud: undefined })), "401 credential-invalid"],
    ["a token of another issuer", () => bearer(provider.token(RSA, { iss: "https://issuer.example" })), "401 credential-invalid"],
    ["a token of nobody", () => bearer(provider.token(RSA, { sub: undefined })), "401 credential-invalid"],
    ["a token with other claims", () => bearer(alter(provider.token(RSA), 1, provider.token(RSA, { sub: "root" }).split(".")[1]!)), "401 credential-invalid"],
    ["a token without its signature", () => bearer(alter(provider.token(RSA), 2, "")), "401 credential-invalid"],
    ["a token and a part more", () => bearer(`${provider.token(RSA)}.AA`), "401 credential-invalid"],
    ["a key whose modulus is short", () => bearer(provider.token(WEAK)), "401 credential-invalid"],
    ["a key whose exponent is 1", () => bearer(provider.token(EXPONENT_ONE)), "401 credential-invalid"],
    ["a key that is not on its curve", () => bearer(provider.token(OFF_CURVE)), "401 credential-invalid"],
    ["a key of a small order, under which all is signed", () => forged(SMALL_ORDER, () => Buffer.from(`58${"66".repeat(31)}01${"00".repeat(31)}`, "hex")), "401 credential-invalid"],
    ["a signature in DER", () => forged(EC, (message) => sign("sha256", message, EC.secret)), "401 credential-invalid"],
    ["a signature of zeros", () => forged(EC, (_, own) => Buffer.alloc(own.length)), "401 credential-invalid"],
    ["a signature of another length, ES256", () => forged(EC, (_, own) => Buffer.concat([own, Buffer.alloc(1)])), "401 credential-invalid"],
    ["a signature of another length, RS256", () => forged(RSA, (_, own) => Buffer.concat([Buffer.alloc(1), own])), "401 credential-invalid"],
    ["a signature of another length, EdDSA", () => forged(ED, (_, own) => own.subarray(0, 63)), "401 credential-invalid"],
    ["a signature with a bit changed", () => forged(RSA, (_, own) => Buffer.concat([own.subarray(0, 255), Buffer.from([own[255]! ^ 1])])), "401 credential-invalid"],
    ["a token in the address", () => inQuery(provider.token(RSA)), "401 credential-invalid"],
    ["a token as a cookie", () => cookie(provider.token(RSA), "Sec-Fetch-Site: same-origin"), "401 credential-invalid"],
    ["a credential of 9 KB", () => bearer(provider.token(RSA, { more: "x".repeat(7_000) })), "401 credential-invalid"],
    ["an expired ticket", () => bearer(ticket({ exp: inSeconds(-1) })), "401 credential-expired"],
    ["a ticket for longer than an hour", () => bearer(ticket({ exp: inSeconds(3_700) })), "401 credential-invalid"],
    ["a ticket for another function", () => bearer(ticket({ aud: "chat" })), "401 credential-invalid"],
    ["a ticket for another channel", () => bearer(ticket({ ch: "rooms" })), "403 access-denied"],
    ["a ticket for other names", () => bearer(ticket({ ch: "team-*" })), "403 access-denied"],
    ["a ticket for reading, to publish", () => ({ ...bearer(ticket()), ...json }), "403 access-denied"],
    ["a ticket for publishing, to delete", () => ({ ...bearer(ticket({ rights: ["read", "publish"] })), method: "DELETE" }), "403 access-denied"],
    ["a ticket with a right that there is not", () => bearer(ticket({ rights: ["read", "root"] } as never)), "401 credential-invalid"],
    ["a ticket of a key that is ours no more", () => bearer(ticket({}, freshKey("k1"))), "401 credential-invalid"],
    ["a ticket of no key", () => bearer(ticket({}, freshKey("k9"))), "401 credential-invalid"],
    ["no JWT at all", () => bearer("guess"), "401 credential-invalid"],
    ["nothing as a ticket", () => inQuery(""), "401 credential-invalid"],
    ["two Authorization headers", () => ({ headers: [...bearer(ticket()).headers!, ...bearer(ticket({ sub: "b" })).headers!] }), "401 credential-invalid"],
    ["a ticket in the header and another in the address", () => ({ ...bearer(ticket()), ...inQuery(ticket({ sub: "b" })) }), "401 credential-invalid"],
    ["two cookies", () => cookie(`${ticket()}; tidewire-ticket=${ticket({ sub: "b" })}`), "401 credential-invalid"],
    ["the parameter twice", () => ({ query: `?ticket=${ticket()}&%74icket=${ticket()}` }), "400 parameter-repeated"],
    ["the offset twice", () => ({ ...bearer(ticket()), query: "?offset=-1&offset=now" }), "400 parameter-repeated"],
    ["a cookie from another site", () => cookie(ticket(), "Origin: https://evil.example"), "403 origin-denied"],
    ["a cookie from another site, to publish", () => ({ ...cookie(ticket({ rights: ["publish"] }), "Origin: https://evil.example"), ...json }), "403 origin-denied"],
    ["a cookie from a neighbour", () => cookie(ticket(), "Sec-Fetch-Site: same-site"), "403 origin-denied"],
    ["a cookie from an image", () => cookie(ticket(), "Sec-Fetch-Site: cross-site"), "403 origin-denied"],
    ["a cookie from a sandbox", () => cookie(ticket(), "Origin: null"), "403 origin-denied"],
    ["a cookie from a host that begins alike", () => cookie(ticket(), `Origin: ${server.url}.evil.example`), "403 origin-denied"],
    ["a cookie that publishes and does not say from where", () => ({ ...cookie(ticket({ rights: ["publish"] })), ...json }), "403 origin-denied"],
    ["the Worker's own header", () => ({ headers: ['Tidewire-Request: ["Delete",{"rights":255}]', "Tidewire-Offset: -1"] }), "401 credential-missing"],
    ["Spin's own headers", () => ({ headers: ["Spin-Matched-Route: /...", "Spin-Path-Info: /demo-a", "Spin-Full-Url: http://x/feed/demo-a", "Spin-Base-Path: /"] }), "401 credential-missing"],
    ["another address in a proxy's header", () => ({ headers: ["X-Original-Url: /feed/demo-a", "X-Rewrite-Url: /feed/demo-a", "X-Forwarded-Prefix: /feed/demo-a"] }), "401 credential-missing"],
    ["another method in a header", () => ({ ...bearer(ticket({ rights: ["publish"] })), ...json, headers: [...bearer(ticket()).headers!, "X-Http-Method-Override: GET"] }), "403 access-denied"],
    ["an encoded slash", () => ({ path: "/feed/demo-a%2F..%2Froom" }), "400 channel-name-invalid"],
    ["a backslash", () => ({ path: "/feed/demo-a%5C..%5Croom" }), "400 channel-name-invalid"],
    ["a traversal", () => ({ path: "/feed/demo-a/../room" }), /^(401 credential-missing|400 channel-name-invalid)$/],
    ["an encoded traversal", () => ({ path: "/feed/demo-a/%2e%2e/room" }), /^(401 credential-missing|400 channel-name-invalid)$/],
    ["a traversal into a path of names", () => ({ path: "/v1/stream/demo-a/%2e%2e/room" }), /^(401 credential-missing|400 channel-name-invalid)$/],
    ["a name that is open only when decoded twice", () => ({ path: "/feed/%2564emo-a" }), "400 channel-name-invalid"],
    ["a line break in the name", () => ({ path: "/feed/room%0d%0aset-cookie:%20a=b" }), "400 channel-name-invalid"],
    ["NUL in the name", () => ({ path: "/feed/demo-a%00" }), "400 channel-name-invalid"],
    ["a line break in the ticket", () => inQuery(`${ticket()}%0d%0aX:y`), "401 credential-invalid"],
    ["NUL in the ticket", () => inQuery(`${ticket()}%00`), "401 credential-invalid"],
    ["NUL in the header", () => bearer(`${ticket()}\0`), /^(400|401 credential-invalid)$/],
  ];

  describe("the attack", () => {
    test.each(attacks)("%s", async (_, attack, expected) => {
      const got = await ask(attack());
      if (typeof expected === "string") expect(got).toBe(expected);
      else expect(got).toMatch(expected);
    });
  });

  test("a flood of unknown keys costs the provider one question at most", async () => {
    const before = provider.fetches;
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(bearer(provider.token({ ...EC, kid: `nobody-${index}` })))));
    expect(new Set(answers)).toEqual(new Set(["401 credential-invalid"]));
    expect(provider.fetches - before).toBeLessThanOrEqual(1);
  });

  test("a WebSocket with a credential is for pages of ours", { tags: ["websocket"] }, async () => {
    const open = async (query: Record<string, string>, headers: Record<string, string>) => {
      const socket = new WebSocket(webSocketUrl(`${server.url}/feed/room`, query), { headers } as never);
      onTestFinished(() => socket.close());
      const frames: ServerFrame[] = [];
      let code: number | undefined;
      socket.addEventListener("message", ({ data }) => frames.push(JSON.parse(data as string) as ServerFrame));
      socket.addEventListener("close", (event) => (code = event.code));
      await eventually("a frame", () => frames.length > 0);
      const [first] = frames;
      if (first!.type !== "error") return first!.type;
      await eventually("it is closed", () => code !== undefined);
      return `${first!.code} ${code}`;
    };
    const evil = { origin: "https://evil.example" };
    expect(await open({ ticket: ticket() }, {})).toBe("hello");
    expect(await open({ ticket: ticket() }, { origin: server.url })).toBe("hello");
    expect(await open({}, { origin: server.url, cookie: `tidewire-ticket=${ticket()}` })).toBe("hello");
    expect(await open({}, { authorization: `Bearer ${provider.token(ED)}` })).toBe("hello");
    expect(await open({ ticket: ticket() }, evil)).toBe("origin-denied 3507");
    expect(await open({}, { ...evil, cookie: `tidewire-ticket=${ticket()}` })).toBe("origin-denied 3507");
    expect(await open({}, {})).toBe("credential-missing 3507");
    expect(await open({ ticket: ticket({ exp: inSeconds(-1) }) }, {})).toBe("credential-expired 3005");
    expect(await open({ ticket: provider.token(RSA) }, {})).toBe("credential-invalid 3507");
  });

  test("pages of no origin read answers to requests with cookies", async () => {
    const answer = await send(server.url, cookie(ticket(), "Sec-Fetch-Site: same-origin"));
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-allow-credentials")).toBe(null);
    const preflight = await send(server.url, { method: "OPTIONS", headers: ["Origin: https://evil.example", "Access-Control-Request-Method: POST"] });
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    expect(preflight.headers.get("access-control-allow-credentials")).toBe(null);
  });

  test("keys outlast their provider", { tags: ["host-counters"] }, async () => {
    const token = provider.token(RSA, { exp: inSeconds(24 * 3_600) });
    await provider.down();
    try {
      await shiftClock(server as unknown as Server, 11 * 60_000);
      expect(await ask(bearer(token))).toBe("200");
      await shiftClock(server as unknown as Server, 25 * 3_600_000);
      expect(await ask(bearer(provider.token(RSA, { exp: inSeconds(48 * 3_600) })))).toBe("503 keys-unavailable");
    } finally {
      await provider.up();
      await shiftClock(server as unknown as Server, 0);
    }
  });

  test("no ticket, token or key of these tests is in the log", () => {
    expect(shown.length).toBeGreaterThan(50);
    const log = server.log();
    for (const secret of [...shown, KEY.secret.toString("base64url"), OLD_KEY.secret.toString("base64url")]) expect(log.includes(secret)).toBe(false);
  });

});

describeOwnServer("a provider that is down from the beginning", () => {
  let provider: Provider;
  const vars: Record<string, string> = { OPEN_ACCESS: "false" };
  beforeAll(async () => {
    provider = await Provider.start([EC]);
    Object.assign(vars, provider.vars);
    await provider.down();
  });
  const server = useOwnServer("access-down", vars);
  afterAll(() => provider.down());

  test("is fetched again, and the tokens that it vouches for have access", async () => {
    const answer = await send(server.url, bearer(provider.token(EC)));
    expect(told(answer)).toBe("503 keys-unavailable");
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    await provider.up();
    await eventually("the token is taken", async () => (await send(server.url, bearer(provider.token(EC)))).status === 200, 20_000);
    expect(provider.fetches).toBe(1);
    // Tickets need no provider, but a key.
    expect(told(await send(server.url, bearer(ticket())))).toBe("401 credential-invalid");
  });

  test("a new key is fetched", { tags: ["host-counters"] }, async () => {
    const next = freshProviderKey("ES256", "next");
    provider.jwks = [next.jwk];
    expect(told(await send(server.url, bearer(provider.token(next))))).toBe("401 credential-invalid");
    await shiftClock(server as unknown as Server, 31_000);
    expect(told(await send(server.url, bearer(provider.token(next))))).toBe("200");
    expect(told(await send(server.url, bearer(provider.token(EC))))).toBe("401 credential-invalid");
  });
});

describeOwnServer("origins that are allowed", () => {
  const app = "https://app.example";
  const server = useOwnServer("access-origins", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(KEY), ALLOWED_ORIGINS: `${app},http://localhost:5173` });

  test("use the cookie and read the answer, and no others", async () => {
    const answer = await send(server.url, cookie(ticket(), `Origin: ${app}`));
    expect(told(answer)).toBe("200");
    expect(answer.headers.get("access-control-allow-origin")).toBe(app);
    expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
    expect(answer.headers.get("vary")).toMatch(/last-event-id.*Origin/i);
    for (const origin of ["https://evil.example", "http://app.example", "null"]) {
      const refused = await send(server.url, cookie(ticket(), `Origin: ${origin}`));
      expect(told(refused)).toBe("403 origin-denied");
      expect(refused.headers.get("access-control-allow-credentials")).toBe(null);
      expect((await send(server.url, { ...bearer(ticket()), headers: [...bearer(ticket()).headers!, `Origin: ${origin}`] })).headers.get("access-control-allow-origin")).toBe("*");
    }
  });

  test("learn so before a request, and when they are refused", async () => {
    for (const attack of [{ method: "OPTIONS" }, {}, { path: `/feed/${freshName()}`, query: "?live=sse&offset=now&probe=1", method: "HEAD" }]) {
      const answer = await send(server.url, { ...attack, headers: [`Origin: ${app}`] });
      expect(answer.headers.get("access-control-allow-origin"), JSON.stringify(attack)).toBe(app);
      expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
    }
  });
});
