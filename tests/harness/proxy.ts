// A TCP proxy on the loopback that disturbs what passes: it cuts all connections at once, or does one thing to one of them.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { between, pick, type Random } from "./random.ts";

/** Of the bytes: `up` goes to the server. */
type Direction = "up" | "down";

/** The faults of a connection, and their shares among a hundred. */
const FAULTS = {
  /** Everything after it comes late. */
  delay: 30,
  /** RST to both sides, in the middle of what passes. */
  cut: 25,
  /** The proxy reports the end of one side to the other side; the opposite direction continues. */
  "half-close": 15,
  /** RST to both sides at once, whether anything passes or not. */
  reset: 20,
  /** Bytes stop, and the connection stays. */
  stall: 10,
};

export type FaultKind = keyof typeof FAULTS;

export interface Fault {
  kind: FaultKind;
  direction: Direction;
  /** How many bytes still pass before it strikes. */
  afterBytes: number;
  /** How late a delay makes each piece. */
  delayMs: number;
  /** Which of the open connections, from 0 to below 1. */
  victim: number;
}

/** The next of a sequence that is the same for the same seed. */
export function drawFault(random: Random): Fault {
  const kinds = Object.entries(FAULTS).flatMap(([kind, share]) => Array<FaultKind>(share).fill(kind as FaultKind));
  return {
    kind: pick(random, kinds),
    direction: pick(random, ["up", "down"]),
    afterBytes: between(random, 1, 600),
    delayMs: between(random, 20, 300),
    victim: random(),
  };
}

/** Two connections, which both ends see as a single connection. */
interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly delayMs: Record<Direction, number>;
  readonly isStalled: Record<Direction, boolean>;
  /** The faults that must strike, at most one in each direction. */
  readonly pending: Partial<Record<Direction, Fault>>;
}

export class Proxy {
  readonly #listener: Server;
  readonly #links = new Set<Link>();
  #isPartition = false;
  #cutAt = Infinity;
  #onCut: (() => void) | undefined;

  /** Connections accepted, cuts of all of them, and bytes passed to the client. */
  connections = 0;
  cuts = 0;
  bytesDown = 0;
  /** Faults that struck. */
  readonly struck: Record<FaultKind, number> = { delay: 0, cut: 0, "half-close": 0, reset: 0, stall: 0 };

  #targetPort: number;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#listener = createServer((client) => this.#join(client, connect(this.#targetPort, "127.0.0.1")));
  }

  static async start(targetPort: number): Promise<Proxy> {
    const proxy = new Proxy(targetPort);
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Leads all new connections to another port, and resets the others: what an address does after a failover. */
  redirect(targetPort: number): void {
    this.#targetPort = targetPort;
    this.cut();
  }

  /** Resets every connection now. */
  cut(): void {
    this.cuts += 1;
    this.#cutAt = Infinity;
    for (const link of this.#links) reset(link);
    this.#links.clear();
    this.#onCut?.();
  }

  /** Resets every connection once `bytes` more bytes have passed to clients, possibly in the middle of an event. */
  cutAfter(bytes: number): Promise<void> {
    this.#cutAt = this.bytesDown + bytes;
    return new Promise((done) => (this.#onCut = done));
  }

  /** Gives the fault to a connection that has no fault in this direction yet; it strikes after this number of bytes. */
  disturb(fault: Fault): void {
    const free = [...this.#links].filter(({ pending }) => !pending[fault.direction]);
    const link = free[Math.floor(fault.victim * free.length)];
    if (!link) return;
    if (fault.kind !== "reset") {
      link.pending[fault.direction] = { ...fault };
      return;
    }
    this.struck.reset += 1;
    reset(link);
  }

  /** Lets no byte through, in either direction, until it is healed: connections open, and nothing answers. */
  partition(): void {
    this.#isPartition = true;
    for (const link of this.#links) link.isStalled.up = link.isStalled.down = true;
  }

  /** Ends the partition. Connections from within it are reset. */
  heal(): void {
    this.#isPartition = false;
    this.cut();
  }

  /** Takes back the faults that have not struck, and the delays. */
  calm(): void {
    for (const link of this.#links) {
      delete link.pending.up;
      delete link.pending.down;
      link.delayMs.up = link.delayMs.down = 0;
    }
  }

  async stop(): Promise<void> {
    const closed = once(this.#listener, "close");
    this.#listener.close();
    this.cut();
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    this.connections += 1;
    const link: Link = { client, server, delayMs: { up: 0, down: 0 }, isStalled: { up: this.#isPartition, down: this.#isPartition }, pending: {} };
    this.#links.add(link);
    this.#pass(link, "up", client, server);
    this.#pass(link, "down", server, client);
  }

  #pass(link: Link, direction: Direction, from: Socket, to: Socket): void {
    from.setNoDelay(true);
    from.on("data", (chunk) => {
      const rest = this.#strike(link, direction, chunk, from, to);
      const delayMs = link.delayMs[direction];
      if (rest.length === 0) return;
      if (delayMs === 0) return this.#write(direction, rest, from, to);
      from.pause();
      setTimeout(() => {
        from.resume();
        this.#write(direction, rest, from, to);
      }, delayMs);
    });
    // An error is always followed by `close`, which ends the other side too. A stall lets not even the end through.
    from.on("error", () => {});
    from.on("end", () => {
      if (!link.isStalled[direction]) to.end();
    });
    from.on("close", () => {
      if (!link.isStalled[direction]) to.destroy();
      if (link.client.destroyed && link.server.destroyed) this.#links.delete(link);
    });
  }

  /** Lets the link's fault happen if it is due within `chunk`; returns what is still to be written. */
  #strike(link: Link, direction: Direction, chunk: Buffer, from: Socket, to: Socket): Buffer {
    if (link.isStalled[direction] || to.writableEnded) return chunk.subarray(0, 0);
    const fault = link.pending[direction];
    if (!fault) return chunk;
    const due = fault.afterBytes;
    fault.afterBytes -= chunk.length;
    if (fault.afterBytes > 0) return chunk;
    delete link.pending[direction];
    this.struck[fault.kind] += 1;
    if (fault.kind === "half-close" && direction === "up") {
      // Not within a request: one that ends too soon in good order is the client's fault, and is answered 400.
      this.#write(direction, chunk, from, to);
      to.end();
      return chunk.subarray(0, 0);
    }
    this.#write(direction, chunk.subarray(0, due), from, to, () => {
      // Waits until the kernel has the bytes, or the other side would never see half an event.
      if (fault.kind === "cut") reset(link);
    });
    if (fault.kind === "half-close") to.end();
    if (fault.kind === "stall") link.isStalled[direction] = true;
    if (fault.kind !== "delay") return chunk.subarray(0, 0);
    link.delayMs[direction] = fault.delayMs;
    return chunk.subarray(due);
  }

  #write(direction: Direction, chunk: Buffer, from: Socket, to: Socket, written?: () => void): void {
    if (to.writableEnded || to.destroyed) return;
    const left = direction === "down" ? this.#cutAt - this.bytesDown : Infinity;
    const passed = chunk.length <= left ? chunk : chunk.subarray(0, left);
    if (direction === "down") this.bytesDown += passed.length;
    const flushed = to.write(passed, () => {
      written?.();
      // The cut waits until the kernel has the bytes, for the same reason.
      if (this.bytesDown >= this.#cutAt) this.cut();
    });
    if (!flushed) {
      from.pause();
      to.once("drain", () => from.resume());
    }
  }
}

function reset({ client, server }: Link): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}
