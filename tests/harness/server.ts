// Control of one server: start, stop, SIGKILL of its whole process group, restart on the same state, eviction.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { basename, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { declaring, onRedis } from "./manifest.ts";
import { PLATFORM, RUNTIME, STORE } from "./platform.ts";
import { freePort } from "./port.ts";
import { Redis } from "./redis.ts";
import { faultsOf } from "./secrets.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Folder with `index.js` and `index_bg.wasm`. */
export const BUILD = resolve(process.env.TIDEWIRE_WORKERS_BUILD ?? join(HERE, "../../functions/gateway/build"));

/** Program of tests/spin-host. */
const SPIN_HOST = resolve(process.env.TIDEWIRE_SPIN_HOST ?? join(HERE, "../../target/spin-host/debug/tidewire-spin-host"));

/** The real Spin. */
const SPIN = process.env.TIDEWIRE_SPIN ?? "spin";

/** The `cargo harness` command itself. */
export const HARNESS = resolve(HERE, "../../target/debug/tidewire-harness");

/** Folder for logs, screenshots and the state of running servers. */
export const OUTPUT = resolve(process.env.TIDEWIRE_OUTPUT ?? join(HERE, "../../target/harness"));

export interface ServerOptions {
  /** Settings of the functions, by the names of the table. */
  vars?: Record<string, string>;
  /** Name of the log file in `OUTPUT/logs`. */
  name?: string;
  /** On Workers, how many requests of one identity the limiter `REQUEST_RATE` admits in 10 s; without it no limiter is bound. */
  requestsIn10s?: number;
  /** The `spin.toml`, where it is not the root's. */
  manifest?: string;
  /** Where Spin stores its channels in Redis: the address, where it is not that of a Redis of its own. */
  store?: string;
  /** Words in front of the command, such as those that give it a core. */
  before?: string[];
  /** The folder in which its state lies, where it is not that of all servers. */
  within?: string;
}

type Command = (port: number, state: string, options: ServerOptions) => string[];

const MANIFEST = join(HERE, "../../spin.toml");

/** The manifest with these settings, and with the components of the store. */
const application = (manifest: string, vars: Record<string, string>, state: string) =>
  declaring(STORE === "redis" ? onRedis(manifest, join(OUTPUT, "redis"), state) : manifest, vars, state);

/** `--variable` for each setting. */
const variables = (vars: Record<string, string>) => Object.entries(vars).flatMap(([name, value]) => ["--variable", `${name.toLowerCase()}=${value}`]);

/** The real Spin has no port for tests, and says nothing when it answers. */
const realSpin: Command = (port, state, { vars = {}, manifest = MANIFEST }) => [
  ...[SPIN, "up", "--from", application(manifest, vars, state), "--listen", `127.0.0.1:${port}`, "--state-dir", state],
  ...variables(vars),
];

/** Each but the real Spin prints `control URL` and `ready URL`, then what the functions log. */
const COMMANDS = {
  workers: (port, state, { vars = {}, requestsIn10s }) => [
    process.execPath,
    join(HERE, "serve.mjs"),
    ...["--build", BUILD, "--state", state, "--port", String(port), "--until-stdin-ends"],
    ...(requestsIn10s ? ["--requests-in-10s", String(requestsIn10s)] : []),
    ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}=${value}`]),
  ],
  host: (port, state, { vars = {}, manifest = MANIFEST }) => [
    SPIN_HOST,
    ...["--manifest", application(manifest, vars, state), "--state", state],
    ...["--cache", join(OUTPUT, "compiled")],
    ...["--listen", `127.0.0.1:${port}`, "--control", "127.0.0.1:0", "--until-stdin-ends"],
    ...variables(vars),
  ],
  spin: realSpin,
} satisfies Record<string, Command>;

/** Whether the server says itself when it answers, and where its port for tests is. */
const saysReady = PLATFORM === "workers" || RUNTIME === "host";

const running = new Set<Server>();

// The last net when a test run ends without its hooks.
process.on("exit", () => {
  for (const server of running) server.signalGroup("SIGKILL");
});

export class Server {
  #options: ServerOptions;
  readonly #state: string;
  readonly #logFile: string;
  #child: ChildProcess | undefined;
  #redis: Redis | undefined;
  #log = "";
  #control = "";
  #port = 0;

  private constructor(options: ServerOptions) {
    this.#options = options;
    const name = options.name ?? "server";
    const within = options.within ?? join(OUTPUT, "state");
    mkdirSync(within, { recursive: true });
    mkdirSync(join(OUTPUT, "logs"), { recursive: true });
    this.#state = mkdtempSync(join(within, `${name}-`));
    this.#logFile = join(OUTPUT, "logs", `${basename(this.#state)}.log`);
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options);
    try {
      await server.#useRedis();
      await server.#launch();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Starts again on the same state and the same port, after `kill9` or `end`; with these settings in the place of those of the same names. */
  async restart(vars: Record<string, string> = {}): Promise<void> {
    this.#options = { ...this.#options, vars: { ...this.#options.vars, ...vars } };
    await this.#launch();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Folder of the store. */
  get state(): string {
    return this.#state;
  }

  /** Address of the port for tests, and the process that has it. */
  get control(): string {
    return this.#control;
  }

  /** The Redis of this server's own. */
  get redis(): Redis | undefined {
    return this.#redis;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** All that the functions have logged, over restarts. */
  log(): string {
    return this.#log;
  }

  /** How often an object of this class was constructed. */
  wakes(className: string): number {
    return this.#log.split(`{"event":"wake","class":"${className}"}`).length - 1;
  }

  /** Takes the object out of memory, as hibernation does; `close` also cuts its sockets. */
  async evict(className: string, name: string, sockets: "hibernate" | "close" = "hibernate"): Promise<void> {
    const query = new URLSearchParams({ class: className, name, sockets });
    const answer = await fetch(`${this.#control}/evict?${query}`, { method: "POST" });
    if (answer.status !== 204) throw new Error(`evict ${className} ${name}: ${await answer.text()}`);
  }

  /** All rows of the server's SQLite files that match, each as JSON; all elements of its Redis. */
  rows(pattern: RegExp): string[] {
    if (this.#redis) return this.#redis.rows(pattern);
    // Loaded where it is used: it warns that it is experimental.
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    const files = readdirSync(this.#state, { recursive: true, encoding: "utf8" }).filter((file) => /\.(sqlite|db)$/.test(file));
    return files.flatMap((file) => {
      const database = new DatabaseSync(join(this.#state, file), { readOnly: true });
      try {
        const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
        // An alarm of the platform is a time in nanoseconds, which no number holds.
        const text = (_: string, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString() : typeof value === "bigint" ? Number(value) : value);
        const rows = tables.flatMap(({ name }) => {
          const all = database.prepare(`SELECT * FROM "${name}"`);
          all.setReadBigInts(true);
          return all.all().map((row) => JSON.stringify(row, text));
        });
        return rows.filter((row) => pattern.test(row));
      } finally {
        database.close();
      }
    });
  }

  /** SIGKILL of the whole group. Returns when the port refuses connections. */
  async kill9(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** Ends the whole group by this signal; SIGTERM is what a deploy sends. Returns when the port refuses connections. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.signalGroup(signal);
    await this.#gone();
    await eventually("the port refuses connections", () => refuses(this.#port));
  }

  /** Ends the server and removes its state. */
  async stop(): Promise<void> {
    if (this.#child) {
      this.signalGroup("SIGTERM");
      const ended = await Promise.race([this.#gone().then(() => true), delay(10_000, false, { ref: false })]);
      if (!ended) {
        this.signalGroup("SIGKILL");
        await this.#gone();
      }
    }
    await this.#redis?.stop();
    rmSync(this.#state, { recursive: true, force: true, maxRetries: 5 });
    const faults = faultsOf(this.#log);
    if (faults.length > 0) throw new Error(`${this.#logFile}:\n${faults.join("\n")}`);
  }

  signalGroup(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // The group has ended by itself.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  async #gone(): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, "exit");
    this.#child = undefined;
    running.delete(this);
  }

  /** Starts the Redis that holds the channels, unless they lie in a file or in a Redis of the test. */
  async #useRedis(): Promise<void> {
    if (STORE !== "redis") return;
    if (!this.#options.store) this.#redis = await Redis.start(join(this.#state, "redis"));
    const store = this.#options.store ?? this.#redis!.url;
    const origin = new URL(store);
    this.#options = { ...this.#options, vars: { ...this.#options.vars, STORE: store, STORE_ORIGIN: `${origin.protocol}//${origin.host}` } };
  }

  async #launch(): Promise<void> {
    if (!saysReady && this.#port === 0) this.#port = await freePort();
    const [command, ...args] = [...(this.#options.before ?? []), ...COMMANDS[PLATFORM === "spin" ? RUNTIME : PLATFORM](this.#port, this.#state, this.#options)];
    const child = spawn(command!, args, {
      // A group of its own, so that one signal reaches node and workerd. TMPDIR: what SIGKILL leaves behind goes with the state.
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: this.#state },
    });
    this.#child = child;
    running.add(this);
    let lines = "";
    const append = (chunk: string) => {
      lines += chunk;
      this.#log += chunk;
      appendFileSync(this.#logFile, chunk);
    };
    child.stdout!.setEncoding("utf8").on("data", append);
    child.stderr!.setEncoding("utf8").on("data", append);

    const ready = /^ready (\S+)\n/m;
    await eventually("the server is ready", async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server did not start:\n${lines}`);
      return saysReady ? ready.test(lines) : !(await refuses(this.#port));
    });
    if (!saysReady) return;
    this.#port = Number(new URL(ready.exec(lines)![1]!).port);
    this.#control = /^control (\S+)$/m.exec(lines)![1]!;
  }
}

/** Whether nothing listens on this port of the loopback. */
function refuses(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      answer(false);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => answer(error.code === "ECONNREFUSED"));
  });
}
