// A publisher that does not lose its events, whatever happens to its connections and to the server.

import { setTimeout as delay } from "node:timers/promises";
import { between, type Random } from "./random.ts";

/** Time for the answer to a publish. */
const ANSWER_MS = 5_000;

/** An event of a publisher. The text is of any length, so that cuts fall anywhere, and has characters of one to four bytes. */
export interface Note {
  publisher: number;
  number: number;
  text: string;
}

/** Publishes as an idempotent producer: again and again until it is acknowledged, and stored once. */
export class Publisher {
  readonly index: number;
  acknowledged = 0;
  /** Why events were sent again, and how often. */
  readonly failures = new Map<string, number>();
  readonly #channel: string;
  readonly #random: Random;
  #isOver = false;

  constructor(channel: string, index: number, random: Random) {
    this.#channel = channel;
    this.index = index;
    this.#random = random;
  }

  /** Publishes until it is stopped, with pauses up to `pauseMs`. */
  async run(pauseMs: number): Promise<void> {
    while (!this.#isOver) {
      await this.publish();
      await delay(between(this.#random, 0, pauseMs));
    }
  }

  /** After the event at hand. */
  stop(): void {
    this.#isOver = true;
  }

  /** Publishes the next event; resolves when it is acknowledged. */
  async publish(): Promise<void> {
    const number = this.acknowledged;
    const text = "aä€😀".repeat(between(this.#random, 0, 40));
    const body = JSON.stringify({ publisher: this.index, number, text } satisfies Note);
    for (;;) {
      const answer = await this.#send(number, body);
      if (answer === undefined) break;
      this.failures.set(answer, (this.failures.get(answer) ?? 0) + 1);
      await delay(between(this.#random, 20, 100));
    }
    this.acknowledged += 1;
  }

  /** Returns why it has to be sent again, if so. */
  async #send(number: number, body: string): Promise<string | undefined> {
    const headers = { "content-type": "application/json", "producer-id": `publisher-${this.index}`, "producer-epoch": "0", "producer-seq": String(number) };
    let answer: Response;
    try {
      answer = await fetch(this.#channel, { method: "POST", headers, body, signal: AbortSignal.timeout(ANSWER_MS) });
      await answer.arrayBuffer();
    } catch {
      return "no answer";
    }
    if (answer.status === 200 || answer.status === 204) return undefined;
    // A server that is ended or trapped in the middle may say so; anything below is a mistake of this publisher's.
    if (answer.status < 500) throw new Error(`publisher ${this.index}, number ${number}: ${answer.status}`);
    return String(answer.status);
  }
}
