// The messages that a chat page sends, and the members that a reader gets.

import { createParser } from "eventsource-parser";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import type { Member } from "./readers.ts";

/** A message as functions/chat takes it. */
export function message(text: string, id = "m") {
  return { type: "message", id, from: { id: "p", name: "Ann", color: "#2f855a" }, text, at: 1 };
}

/** Publishes as an idempotent producer. */
export function send(room: string, data: unknown, producer?: { id: string; seq: number }): Promise<Response> {
  const headers = producer && { "producer-id": producer.id, "producer-epoch": "0", "producer-seq": String(producer.seq) };
  return fetch(room, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(data) });
}

/** Address of those present in a room. */
export function presenceUrl(room: string): string {
  return new URL(`-/presence/${new URL(room).pathname.split("/").at(-1)}`, new URL(".", room)).href;
}

/** Says that a member is present, or with `null` that it left. */
export function announce(room: string, id: string, state: unknown): Promise<Response> {
  return fetch(presenceUrl(room), { method: "POST", body: JSON.stringify({ id, state }) });
}

export async function members(room: string): Promise<Member[]> {
  const answer = await fetch(presenceUrl(room));
  return ((await answer.json()) as { members: Member[] }).members;
}

/** An `EventSource` that listens to presence. */
export class Listener {
  /** Each event `presence`, as it came. */
  readonly told: { snapshot?: true; members: Member[] }[] = [];
  /** All that came, as text. */
  text = "";
  /** Names of all events. */
  readonly names: string[] = [];

  /** Listens until the test ends; has had its snapshot when it returns. */
  static async open(room: string): Promise<Listener> {
    const listener = new Listener();
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const answer = await fetch(room, { headers: { accept: "text/event-stream" }, signal: abort.signal });
    const parser = createParser({
      onEvent({ event = "message", data }) {
        listener.names.push(event);
        if (event === "presence") listener.told.push(JSON.parse(data) as Listener["told"][number]);
      },
    });
    void (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of answer.body!) {
        const text = decoder.decode(chunk, { stream: true });
        listener.text += text;
        parser.feed(text);
      }
    })().catch(() => {}); // ended by the test
    await eventually("the snapshot", () => listener.told.length > 0);
    return listener;
  }

  /** The members, as it got them. */
  get present(): Record<string, Member["state"]> {
    const present: Record<string, Member["state"]> = {};
    for (const { id, state } of this.told.flatMap(({ members }) => members)) {
      if (state) present[id] = state;
      else delete present[id];
    }
    return present;
  }
}
