// A server that is measured.

export interface Served {
  port: number;
  /** Its processes. */
  pids: number[];
  /** Whether it works while its readers wait. */
  isNeverQuiet?: boolean;
  /** How often it has read its store, and by how many instances, where it counts that. */
  looks?: () => Promise<{ reads: number; instances: number }>;
  stop(): Promise<void>;
}

/** How to start one. Contestants of a cell with the same recipe share a server. */
export interface Recipe {
  name: string;
  start(): Promise<Served>;
}

/** A server that this machine does not have: a reason to measure nothing, and no failure. */
export class Absent extends Error {}
