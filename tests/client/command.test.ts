// The command `tidewire`, as a shell runs it.

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { createECDH, createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/eventually.ts";
import { Proxy } from "../harness/proxy.ts";
import { describeOwnServer, freshName, numbers, publish, publishAll, useOwnServer, useServer } from "../harness/suite.ts";
import { freshKey, ticketKeys } from "../harness/ticket.ts";

const server = useServer();
const COMMAND = fileURLToPath(new URL("../../shared/client/bin/tidewire", import.meta.url));
const README = fileURLToPath(new URL("../../shared/client/README.md", import.meta.url));

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

interface Surroundings {
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
}

/** Runs it to its end. */
function tidewire(args: string[], { input = "", env = {}, cwd = folder() }: Surroundings = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [COMMAND, ...args], { cwd, env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
    // It may have refused the command line before it reads.
    child.stdin!.on("error", () => {}).end(input);
  });
}

/** Starts the command without waiting for it; it ends with the test. */
function start(args: string[]): { child: ChildProcess; stdout: () => string; stderr: () => string } {
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  return { child, stdout: () => stdout, stderr: () => stderr };
}

/** An empty folder, for this test alone. */
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "tidewire-command-"));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

const rows = (stdout: string) => stdout.split("\n").slice(0, -1).map((line) => line.split("\t"));

/** The claims of a ticket, if it was made with these keys. */
function verify(ticket: string, keys: string): Record<string, unknown> {
  const [header, claims, signature] = ticket.trim().split(".") as [string, string, string];
  const parse = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
  const { alg, typ, kid } = parse(header);
  expect({ alg, typ }).toEqual({ alg: "HS256", typ: "JWT" });
  const key = Object.fromEntries(keys.split(",").map((pair) => pair.split(":") as [string, string]))[kid as string]!;
  expect(signature).toBe(createHmac("sha256", Buffer.from(key, "base64url")).update(`${header}.${claims}`).digest("base64url"));
  return parse(claims);
}

test("every command has help with an example, and a wrong command line ends with 2 and says so", async () => {
  const all = await tidewire(["--help"]);
  const commands = [...all.stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name]) => name!);
  expect(commands).toEqual(["keys", "token", "publish", "tail"]);
  for (const name of commands) {
    const { code, stdout } = await tidewire([name, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`\nExample:\n  .*tidewire ${name}`));
    for (const [, option] of stdout.matchAll(/^ {2}--(\w+)/gm)) expect(stdout.split("\n\n")[1]).toContain(`--${option}`);
  }
  for (const args of [[], ["nope"], ["keys", "--nope"], ["keys", "--as", "x"], ["tail"], ["tail", "nope"], ["tail", server.url, "--transport", "pigeon"], ["publish", server.url, "{"]]) {
    const { code, stdout, stderr } = await tidewire(args);
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
    expect(stderr).toMatch(/./);
  }
});

test("an address that cannot work is refused with what is wrong, and without its password", async () => {
  for (const [url, why] of [
    [server.url.replace("http", "ws"), "over a WebSocket too"],
    ["ftp://channel.test/x", "http or https"],
    ["http://ann:s3cret@channel.test/x", "--token"],
    ["http://ann@channel.test/x", "--token"],
    [`${server.url}/feed/demo-x#part`, "#fragment"],
  ] as const) {
    for (const args of [["tail", url], ["publish", url, "1"]]) {
      const { code, stdout, stderr } = await tidewire(args);
      expect({ url, code, stdout, stderr }).toEqual({ url, code: 2, stdout: "", stderr: expect.stringContaining(why) });
      expect(stderr).not.toContain("s3cret");
    }
  }
});

test("keys prints a fresh key of 32 bytes, in the form that each place wants", async () => {
  const printed = await Promise.all(numbers(1, 2).map(() => tidewire(["keys", "--id", "k2"])));
  const keys = printed.map(({ stdout }) => stdout.trim());
  expect(new Set(keys).size).toBe(2);
  expect(Buffer.from(/^k2:([\w-]+)$/.exec(keys[0]!)![1]!, "base64url")).toHaveLength(32);
  expect((await tidewire(["keys", "--as", "dev-vars"])).stdout).toMatch(/^TICKET_KEYS="k1:[\w-]{43}"\n$/);
  expect((await tidewire(["keys", "--as", "env"])).stdout).toMatch(/^SPIN_VARIABLE_TICKET_KEYS="k1:[\w-]{43}"\n$/);
});

test("keys --vapid prints a key pair for Web Push: the private key for the setting, the public key beside it", async () => {
  const { code, stdout, stderr } = await tidewire(["keys", "--vapid", "--id", "v1"]);
  expect(code).toBe(0);
  const [, printed] = /^v1:([\w-]{43})\n$/.exec(stdout)!;
  const [, shown] = /^public key: ([\w-]{87})\n$/.exec(stderr)!;
  const pair = createECDH("prime256v1");
  pair.setPrivateKey(Buffer.from(printed!, "base64url"));
  expect(pair.getPublicKey("base64url")).toBe(shown);
  expect((await tidewire(["keys", "--vapid"])).stdout).not.toContain(printed);
  expect((await tidewire(["keys", "--vapid", "--as", "env"])).stdout).toMatch(/^SPIN_VARIABLE_VAPID_KEYS="k1:[\w-]{43}"\n$/);
});

test("keys --vapid writes beside the key of tickets, and never over one that is there", async () => {
  const cwd = folder();
  writeFileSync(join(cwd, ".dev.vars"), 'TICKET_KEYS="k1:a"\nVAPID_KEYS=""\n');
  const made = await tidewire(["keys", "--vapid", "--into", ".dev.vars"], { cwd });
  expect(made).toMatchObject({ code: 0, stdout: "", stderr: expect.stringMatching(/^\.dev\.vars: the key is written\npublic key: /) });
  const written = readFileSync(join(cwd, ".dev.vars"), "utf8");
  expect(written).toMatch(/^TICKET_KEYS="k1:a"\nVAPID_KEYS="k1:[\w-]{43}"\n$/);
  expect(await tidewire(["keys", "--vapid", "--into", ".dev.vars"], { cwd })).toMatchObject({ code: 1 });
  expect(readFileSync(join(cwd, ".dev.vars"), "utf8")).toBe(written);
});

test("keys writes one key into the files of a copy, and never over one that is there", async () => {
  const cwd = folder();
  const read = (file: string) => readFileSync(join(cwd, file), "utf8");
  writeFileSync(join(cwd, ".dev.vars"), '# Settings\nTICKET_KEYS=""\nOPEN_ACCESS="false"\n');
  const made = await tidewire(["keys", "--into", ".dev.vars,.env"], { cwd });
  expect(made).toMatchObject({ code: 0, stdout: "", stderr: ".dev.vars and .env: the key is written\n" });
  const key = /^SPIN_VARIABLE_TICKET_KEYS="(k1:[\w-]{43})"\n$/.exec(read(".env"))![1]!;
  expect(read(".dev.vars")).toBe(`# Settings\nOPEN_ACCESS="false"\nTICKET_KEYS="${key}"\n`);
  verify((await tidewire(["token", "--function", "chat", "--channel", "room-1"], { cwd })).stdout, key);

  rmSync(join(cwd, ".env"));
  const again = await tidewire(["keys", "--into", ".env,.dev.vars"], { cwd });
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining(".dev.vars has a key already; nothing was changed") });
  expect(() => read(".env")).toThrow("ENOENT");
  expect(await tidewire(["keys", "--into", "secrets.txt"], { cwd })).toMatchObject({ code: 2 });
});

test("token mints with the first key of the environment, of .dev.vars or of .env", async () => {
  const [environment, devVars, env] = await Promise.all(["e1", "d1", "s1"].map(async (id) => (await tidewire(["keys", "--id", id])).stdout.trim()));
  const cwd = folder();
  const args = ["token", "--function", "chat", "--channel", "team-1:*", "--rights", "read,publish", "--subject", "ann", "--ttl", "60"];
  const none = await tidewire(args, { cwd });
  expect(none).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("tidewire keys") });

  writeFileSync(join(cwd, ".env"), `# Settings\nSPIN_VARIABLE_TICKET_KEYS="${env}"\n`);
  const { iat, exp, jti, ...claims } = verify((await tidewire(args, { cwd })).stdout, env!);
  expect(claims).toEqual({ aud: "chat", ch: "team-1:*", rights: ["read", "publish"], sub: "ann" });
  expect(Number(exp) - Number(iat)).toBe(60);
  expect(jti).toMatch(/^[\w-]{12}$/);

  writeFileSync(join(cwd, ".dev.vars"), `TICKET_KEYS="${devVars},${env}"\n`);
  verify((await tidewire(args, { cwd })).stdout, devVars!);
  const fromEnvironment = await tidewire(args, { cwd, env: { TICKET_KEYS: `${environment},${devVars}` } });
  verify(fromEnvironment.stdout, environment!);
});

test("token refuses what a server would refuse, and shows no key", async () => {
  const env = { TICKET_KEYS: "k1:c2hvcnQ" };
  const args = ["token", "--function", "chat", "--channel", "room-1"];
  for (const wrong of [["--rights", "read,fly"], ["--ttl", "3601"], ["--ttl", "0"], ["--channel", "a*b"], []]) {
    const { code, stdout, stderr } = await tidewire([...args, ...wrong], { env });
    expect({ wrong, code, stdout }).toEqual({ wrong, code: 2, stdout: "" });
    expect(stderr).not.toContain("c2hvcnQ");
  }
});

/** A ticket by the lines of the README. */
async function mintByReadme(keys: string, claims: object): Promise<string> {
  const [, snippet] = /```js\n(import \{ createHmac \}[^]*?)```/.exec(readFileSync(README, "utf8"))!;
  const cwd = folder();
  writeFileSync(join(cwd, "ticket.mjs"), `${snippet}\nconsole.log(ticket(${JSON.stringify(claims)}));`);
  return new Promise((resolve, reject) =>
    execFile(process.execPath, ["ticket.mjs"], { cwd, env: { TICKET_KEYS: keys } }, (error, stdout) => (error ? reject(error) : resolve(stdout.trim()))),
  );
}

describeOwnServer("a channel that is closed", () => {
  const keys = ticketKeys(freshKey("k2"), freshKey("k1"));
  const closed = useOwnServer("client-command-closed", { OPEN_ACCESS: "false", TICKET_KEYS: keys });
  const env = { TICKET_KEYS: keys };

  test("is opened by what token mints and by what the README's lines mint, as far as it says", async () => {
    const channel = `${closed.url}/feed/team-1:a`;
    const { stdout: publisher } = await tidewire(["token", "--function", "feed", "--channel", "team-1:*", "--rights", "publish"], { env });
    const reader = await mintByReadme(keys, { aud: "feed", ch: "team-1:a", rights: ["read"] });
    expect(await tidewire(["publish", channel, "1"])).toMatchObject({ code: 1, stderr: expect.stringContaining("credential-missing") });
    expect(await tidewire(["publish", channel, "1", "--token", reader])).toMatchObject({ code: 1, stderr: expect.stringContaining("access-denied") });
    expect(await tidewire(["publish", channel, "1", "--token", publisher.trim()])).toMatchObject({ code: 0 });
    const read = await tidewire(["tail", channel, "--from", "-1", "--count", "1"], { env: { TIDEWIRE_TOKEN: reader } });
    expect(read).toMatchObject({ code: 0 });
    expect(rows(read.stdout).map(([, , , data]) => data)).toEqual(["1"]);
  });

  test("is read over a WebSocket too, which carries the ticket", { tags: ["websocket"] }, async () => {
    const channel = `${closed.url}/feed/team-1:b`;
    const { stdout: ticket } = await tidewire(["token", "--function", "feed", "--channel", "team-1:b", "--rights", "read,publish"], { env });
    const token = ["--token", ticket.trim()];
    await tidewire(["publish", channel, "1", ...token]);
    const { stdout } = await tidewire(["tail", channel, "--from", "-1", "--count", "1", "--transport", "websocket", ...token]);
    expect(rows(stdout).map(([, , transport, data]) => [transport, data])).toEqual([["websocket", "1"]]);
  });
});

test("publish takes an event, or lines of which each is one; tail prints them, without colours in a pipe", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const one = await tidewire(["publish", channel, '{"at":1,"text":"a\\tb\\u009b"}']);
  expect(one).toMatchObject({ code: 0, stderr: "" });
  // More than one request takes.
  const lines = [...numbers(1, 1_200).map(String), "", "[1,2]"];
  const many = await tidewire(["publish", channel], { input: lines.join("\n") });
  expect(many).toMatchObject({ code: 0, stderr: "" });

  const { code, stdout, stderr } = await tidewire(["tail", channel, "--from", "-1", "--count", "1202", "--transport", "sse"]);
  expect(code).toBe(0);
  const printed = rows(stdout);
  expect(printed.map(([, , , data]) => JSON.parse(data!))).toEqual([{ at: 1, text: "a\tb\u009b" }, ...numbers(1, 1_200), [1, 2]]);
  expect([printed[0]![0], printed.at(-1)![0]]).toEqual([one.stdout.trim(), many.stdout.trim()]);
  expect(printed[0]![1]).toMatch(/^\d+ s$/);
  expect(printed[1]!.slice(1, 3)).toEqual(["-", "sse"]);
  expect(stdout + stderr).not.toMatch(/[\u001b\u009b]/);
  expect(stderr).toBe("live over sse\n1202 events, 0 gaps, 0 reconnects, 0 errors\n");
});

test("publish says which line was refused, and ends with 1", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const refused = await tidewire(["publish", channel], { input: `${JSON.stringify("x".repeat(70_000))}\n` });
  expect(refused).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^tidewire publish: line 1: (event|batch)-too-large: /) });
  const broken = await tidewire(["publish", channel], { input: "1\nnope\n" });
  expect(broken).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("line 2 is not JSON") });
});

test("tail ends with 1 without a channel, and says why", async () => {
  const ended = await tidewire(["tail", `${server.url}/feed/-`, "--transport", "poll"]);
  expect(ended).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("channel-name-invalid") });
});

test("tail shows a gap", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  const stale = await publish(channel, "old");
  expect((await fetch(channel, { method: "DELETE" })).status).toBe(204);
  await publish(channel, "new");
  const { stdout, stderr } = await tidewire(["tail", channel, "--from", stale, "--count", "1"]);
  expect(rows(stdout).map(([, , , data]) => data)).toEqual(['"new"']);
  expect(stderr).toContain(`gap: the events after ${stale} are gone; resumes from `);
  expect(stderr).toContain("1 event, 1 gap, 0 reconnects");
});

test("tail comes back when the network does, counts it, and ends by Ctrl-C with 130", async () => {
  const name = freshName();
  const proxy = await Proxy.start(Number(new URL(server.url).port || 80));
  onTestFinished(() => proxy.stop());
  await publish(`${server.url}/feed/${name}`, 1);
  const { child, stdout, stderr } = start(["tail", `${proxy.url}/feed/${name}`, "--from=-1", "--transport", "sse"]);
  await eventually("the first event", () => rows(stdout()).length === 1);
  proxy.cut();
  await publishAll(`${server.url}/feed/${name}`, [2, 3]);
  await eventually("the others", () => rows(stdout()).length === 3);
  child.kill("SIGINT");
  await eventually("it ends", () => child.exitCode !== null);
  expect(child.exitCode).toBe(130);
  expect(rows(stdout()).map(([, , , data]) => data)).toEqual(["1", "2", "3"]);
  expect(stderr()).toContain("reconnect 1: live over sse");
  expect(stderr()).toMatch(/3 events, 0 gaps, 1 reconnect, 1 error\n$/);
});

test("tail ends quietly when its reader leaves, as head does", async () => {
  const channel = `${server.url}/feed/${freshName()}`;
  await publish(channel, 1);
  const { child, stdout, stderr } = start(["tail", channel, "--from=-1"]);
  await eventually("the first event", () => stdout() !== "");
  child.stdout!.destroy();
  await publishAll(channel, numbers(2, 4));
  await eventually("it ends", () => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
  expect(stderr()).not.toContain("EPIPE");
});
